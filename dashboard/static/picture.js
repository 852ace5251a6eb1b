// One eye: its photograph in OpenSeadragon. The preview comes first, the full picture only when zooming asks for more
// (ux F8); the heat-map lies over both, and is fetched when somebody wants to see it (U9).
const STEP = 0.2; // of the shown field, for one press of an arrow

export class Picture {
  constructor(panel) {
    this.panel = panel;
    this.box = panel.querySelector(".viewer");
    this.marks = panel.querySelector(".marks");
    this.instead = panel.querySelector(".instead");
    this.shots = [...panel.querySelectorAll(".film button")];
    this.heatStrength = 0;
    this.green = false;
    for (const shot of this.shots) shot.addEventListener("click", () => this.show(shot));
    this.show(this.shots.find((shot) => shot.getAttribute("aria-pressed") === "true"));
  }

  show(shot) {
    for (const other of this.shots) other.setAttribute("aria-pressed", String(other === shot));
    this.shot = shot;
    this.full = this.heat = null;
    this.viewer?.destroy();
    this.viewer = null;
    delete this.box.dataset.drawn;
    if (!shot.dataset.preview) {
      this.say(shot.dataset.instead);
      this.box.dataset.drawn = "nothing";
      return;
    }
    this.say("");
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.viewer = new OpenSeadragon.Viewer({
      element: this.box,
      tileSources: { type: "image", url: shot.dataset.preview, buildPyramid: false },
      drawer: "canvas",
      showNavigationControl: false,
      keyboardNavEnabled: false, // its "f" mirrors the picture: a right eye would look like a left one (F4)
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true, flickEnabled: false },
      gestureSettingsTouch: { pinchRotate: false, flickEnabled: false },
      animationTime: still ? 0 : 0.3,
      immediateRender: true,
      preserveImageSizeOnResize: false,
      visibilityRatio: 0.5,
      minZoomImageRatio: 1,
      background: "#000",
    });
    const canvas = this.viewer.canvas;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", shot.dataset.spoken);
    this.viewer.addOnceHandler("tile-drawn", () => {
      this.box.dataset.drawn = "preview";
      this.limit();
      if (this.heatStrength > 0) this.setHeat(this.heatStrength);
    });
    this.viewer.addHandler("open-failed", () => this.fail());
    this.viewer.addHandler("tile-load-failed", () => this.fail());
    this.viewer.addHandler("zoom", () => this.zoomed());
    this.viewer.addHandler("resize", () => this.limit());
    this.draw();
  }

  fail() {
    this.say(this.instead.dataset.failed);
    this.box.dataset.drawn = "failed";
  }

  say(sentence) {
    this.instead.textContent = sentence;
    this.instead.hidden = !sentence;
  }

  // Screen points on one point of the full picture, at a zoom of the viewport.
  scale(zoom) {
    return (zoom * this.box.clientWidth * devicePixelRatio) / Number(this.shot.dataset.width);
  }

  limit() {
    if (!this.viewer) return;
    this.viewer.viewport.maxZoomLevel = Math.max(4 / this.scale(1), this.viewer.viewport.getHomeZoom());
  }

  zoomed() {
    const zoom = this.viewer.viewport.getZoom(false);
    const wanted = zoom * this.box.clientWidth * devicePixelRatio;
    if (!this.full && wanted > Number(this.shot.dataset.previewWidth) && this.shot.dataset.full) this.addFull();
    this.draw();
  }

  addFull() {
    if (Number(this.shot.dataset.width) <= Number(this.shot.dataset.previewWidth)) return;
    this.full = true;
    this.viewer.addTiledImage({
      tileSource: { type: "image", url: this.shot.dataset.full, buildPyramid: false },
      index: 1,
      width: 1,
      success: ({ item }) => {
        item.addOnceHandler("fully-loaded-change", () => { this.box.dataset.drawn = "full"; });
      },
    });
  }

  get hasHeat() {
    return Boolean(this.shot.dataset.heat);
  }

  // strength: 0 to 1; 0 takes the heat-map away.
  setHeat(strength) {
    this.heatStrength = strength;
    this.box.dataset.heat = String(Math.round(100 * strength));
    this.draw();
    if (!this.viewer || !this.hasHeat) return;
    if (this.heat) {
      this.heat.setOpacity(strength);
    } else if (strength > 0) {
      this.viewer.addTiledImage({
        tileSource: { type: "image", url: this.shot.dataset.heat, buildPyramid: false },
        width: 1,
        opacity: strength,
        success: ({ item }) => {
          this.heat = item;
          item.setOpacity(this.heatStrength);
          item.addOnceHandler("fully-loaded-change", () => { this.box.dataset.heatDrawn = "yes"; });
        },
      });
    }
  }

  setGreen(on) {
    this.green = on;
    this.box.classList.toggle("green", on);
    this.draw();
  }

  fit() {
    this.viewer?.viewport.goHome();
  }

  oneToOne() {
    this.viewer?.viewport.zoomTo(1 / this.scale(1));
  }

  zoomBy(factor) {
    this.viewer?.viewport.zoomBy(factor).applyConstraints();
  }

  move(across, down) {
    if (!this.viewer) return;
    const bounds = this.viewer.viewport.getBounds();
    const by = new OpenSeadragon.Point(across * STEP * bounds.width, down * STEP * bounds.height);
    this.viewer.viewport.panBy(by).applyConstraints();
  }

  // What is not as the camera sent it stands on the picture (U22).
  draw() {
    const marks = [];
    if (this.green) marks.push("red-free");
    if (this.heatStrength > 0 && this.hasHeat) marks.push(`heat-map ${Math.round(100 * this.heatStrength)} %`);
    if (this.viewer?.isOpen()) {
      const scale = this.scale(this.viewer.viewport.getZoom(false));
      if (Math.abs(scale - 1) < 0.005) marks.push("1:1");
      else if (scale > 1 && !this.isHome()) marks.push(`enlarged ${scale.toFixed(1)}x`);
    }
    if (this.marks.textContent === marks.join(" ")) return;
    this.marks.replaceChildren(
      ...marks.flatMap((text) => {
        const mark = document.createElement("span");
        mark.textContent = text;
        return [mark, " "];
      }),
    );
  }

  isHome() {
    const { viewport } = this.viewer;
    return Math.abs(viewport.getZoom(false) - viewport.getHomeZoom()) < 0.001;
  }
}
