// The theme a person chose: kept as a cookie, so that the server sends the page in it and nothing flashes.
const select = document.getElementById("theme");

select?.addEventListener("change", () => {
  const chosen = select.value;
  const seconds = chosen ? 365 * 24 * 3600 : 0;
  document.cookie = `theme=${chosen}; Path=/; SameSite=Strict; Max-Age=${seconds}`;
  if (chosen) document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
});
