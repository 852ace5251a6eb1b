// A case: both eyes, their tools and keys, and a word when the case has changed since it was opened.
import { bind } from "./keys.js";
import { onChange } from "./live.js";
import { Picture } from "./picture.js";

const LEAST = 10;
const MOST = 100;

export const pictures = [...document.querySelectorAll("[data-panel]")]
  .filter((panel) => panel.querySelector(".viewer"))
  .map((panel) => new Picture(panel));

const slider = document.getElementById("strength");
const button = (tool) => document.querySelector(`[data-tool="${tool}"]`);
const isOn = (tool) => button(tool)?.getAttribute("aria-pressed") === "true";

// The eye that has the focus, else both.
function meant() {
  const focused = pictures.filter((picture) => picture.box.contains(document.activeElement));
  return focused.length > 0 ? focused : pictures;
}

function set(tool, on) {
  button(tool)?.setAttribute("aria-pressed", String(on));
  const strength = on ? Number(slider?.value ?? 0) / 100 : 0;
  for (const picture of pictures) {
    if (tool === "heat") picture.setHeat(strength);
    else picture.setGreen(on);
  }
}

function toggle(tool) {
  if (!button(tool)) return;
  const on = !isOn(tool);
  // Without red, the heat-map's one hue would be a grey like any other.
  if (on) set(tool === "heat" ? "green" : "heat", false);
  set(tool, on);
}

function strengthen(by) {
  if (!slider) return;
  slider.value = String(Math.min(MOST, Math.max(LEAST, Number(slider.value) + by)));
  strengthened();
}

function strengthened() {
  document.getElementById("strength-now").value = `${slider.value} %`;
  if (isOn("heat")) set("heat", true);
}

const each = (act) => () => meant().forEach(act);
const tools = {
  heat: () => toggle("heat"),
  green: () => toggle("green"),
  fit: each((picture) => picture.fit()),
  one: each((picture) => picture.oneToOne()),
  in: each((picture) => picture.zoomBy(1.5)),
  out: each((picture) => picture.zoomBy(1 / 1.5)),
  left: each((picture) => picture.move(-1, 0)),
  right: each((picture) => picture.move(1, 0)),
  up: each((picture) => picture.move(0, -1)),
  down: each((picture) => picture.move(0, 1)),
};
for (const [tool, act] of Object.entries(tools)) button(tool)?.addEventListener("click", act);
slider?.addEventListener("input", strengthened);
document.querySelector(".tools").hidden = pictures.length === 0;

const follow = (selector) => () => document.querySelector(selector)?.click();
bind({
  h: tools.heat,
  ",": () => strengthen(-10),
  ".": () => strengthen(10),
  g: tools.green,
  f: tools.fit,
  o: tools.one,
  "+": tools.in,
  "=": tools.in,
  "-": tools.out,
  ArrowLeft: tools.left,
  ArrowRight: tools.right,
  ArrowUp: tools.up,
  ArrowDown: tools.down,
  j: follow("[data-after]"),
  k: follow("[data-before]"),
  Escape: follow("[data-back]"),
});

// What gets the focus must not lie under the banner, however many lines that has (WCAG 2.4.11).
const banner = document.querySelector(".banner");
new ResizeObserver(() => {
  document.documentElement.style.scrollPaddingTop = `${banner.offsetHeight + 16}px`;
}).observe(banner);

const address = `/api/v1${location.pathname}`;
async function ask() {
  const answer = await fetch(address, { headers: { "X-Unattended": "1" } }).catch(() => null);
  if (answer?.status === 401) location.reload(); // the session has ended: nobody's case stays on the screen
  return answer?.ok ? answer.text() : null;
}
let opened = ask();
onChange(async () => {
  const [before, now] = await Promise.all([opened, ask()]);
  if (now === null) return;
  if (before === null) opened = Promise.resolve(now);
  else if (before !== now) document.getElementById("changed").hidden = false;
});
