// One table of keys for a page: letters act only outside fields, never together with Ctrl, Alt or Meta (WCAG 2.1.4).
export function bind(table) {
  const dialog = document.getElementById("keys");
  document.querySelector("[data-keys]")?.addEventListener("click", () => dialog.showModal());
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || dialog?.open) return;
    if (event.target.closest?.("input:not([type=range]), select, textarea, [contenteditable]")) return;
    if (event.target.type === "range" && event.key.startsWith("Arrow")) return;
    if (event.key === "?") {
      dialog?.showModal();
    } else if (!table[event.key] || table[event.key](event) === false) {
      return;
    }
    event.preventDefault();
  });
}
