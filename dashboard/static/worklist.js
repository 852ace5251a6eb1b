// The list: keys, and changes that never move the row somebody looks at. Cells are replaced where they stand, new cases
// wait behind a button, what has left the list stays, greyed, until the list is shown anew.
import { bind } from "./keys.js";
import { onChange } from "./live.js";

const CHOSEN = "chosen";
const MINUTE = 60_000;
const news = document.getElementById("news");
let latest = null; // the list as the server has it now, where that is another one

const rows = () => [...document.querySelectorAll(".row")];
const chosen = () => document.querySelector(`.row.${CHOSEN}`);

function choose(row) {
  if (!row) return;
  chosen()?.classList.remove(CHOSEN);
  row.classList.add(CHOSEN);
  row.querySelector("a").focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

function move(step) {
  const all = rows();
  const at = all.indexOf(chosen());
  choose(at < 0 ? all[0] : all[Math.min(Math.max(at + step, 0), all.length - 1)]);
}

function patch(old, fresh) {
  for (const cell of fresh.querySelectorAll("[data-cell]")) swap(old.querySelector(`[data-cell="${cell.dataset.cell}"]`), cell);
}

function swap(standing, cell) {
  if (!standing.isEqualNode(cell)) standing.replaceWith(document.importNode(cell, true));
}

function announce(count) {
  if (count === 0) {
    news.replaceChildren();
    return;
  }
  const button = news.querySelector("button") ?? document.createElement("button");
  button.type = "button";
  button.onclick = show;
  const key = document.createElement("kbd");
  key.textContent = ".";
  button.replaceChildren(`${count} new, press `, key);
  if (!button.isConnected) news.replaceChildren(button);
}

async function refresh() {
  const answer = await fetch(`/worklist/rows${location.search}`, { headers: { "X-Unattended": "1" } }).catch(() => null);
  if (answer?.status === 401 || answer?.redirected) location.reload();
  if (!answer?.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  latest = page.getElementById("changing");
  if (!latest) return;
  const fresh = new Map([...latest.querySelectorAll(".row")].map((row) => [row.dataset.case, row]));
  for (const part of ["tabs", "more"]) {
    swap(document.querySelector(`[data-part="${part}"]`), latest.querySelector(`[data-part="${part}"]`));
  }
  const standing = new Set();
  for (const row of rows()) {
    const now = fresh.get(row.dataset.case);
    row.classList.toggle("finished", !now);
    if (now) patch(row, now);
    standing.add(row.dataset.case);
  }
  const added = [...fresh.keys()].filter((id) => !standing.has(id)).length;
  if (standing.size === 0 && added > 0) show(); // an empty list has no row to keep in place
  else announce(added);
}

function show() {
  if (!latest) return;
  const id = chosen()?.dataset.case;
  document.getElementById("changing").replaceWith(document.importNode(latest, true));
  latest = null;
  announce(0);
  choose(rows().find((row) => row.dataset.case === id) ?? (id ? rows()[0] : null));
}

document.addEventListener("focusin", (event) => {
  const row = event.target.closest?.(".row");
  if (row && row !== chosen()) choose(row);
});

bind({
  j: () => move(1),
  k: () => move(-1),
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  ".": show,
  Enter: (event) => {
    if (event.target.closest?.("a, button")) return false; // they know by themselves
    const row = chosen() ?? rows()[0];
    row?.querySelector("a").click();
    return undefined;
  },
});
onChange(refresh);
// How long something has left changes without any row changing.
setInterval(() => { if (!document.hidden) refresh(); }, MINUTE);
// Back from a case, its row is the chosen one.
choose(rows().find((row) => location.hash === `#${row.id}`));
