// Tells when rows have changed: by the server's event stream, or by asking now and then where there is none (ux F1).
const EVERY = 15_000;

export function onChange(told) {
  let stream = null;
  let timer = null;
  let seen = null;

  const ask = () => { if (!document.hidden) told(); };
  const listen = () => {
    if (stream || document.hidden) return;
    stream = new EventSource("/live");
    stream.addEventListener("changed", (event) => {
      clearInterval(timer);
      timer = null;
      if (seen !== null && seen !== event.data) told();
      seen = event.data;
    });
    stream.addEventListener("error", () => {
      // The browser tries again by itself unless it was refused; until it is heard again, we ask.
      timer ??= setInterval(ask, EVERY);
      if (stream?.readyState === EventSource.CLOSED) stream = null;
    });
  };
  // A page nobody looks at holds no connection: a browser has six for one host.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) {
      listen();
      return;
    }
    stream?.close();
    stream = null;
  });
  addEventListener("pagehide", () => stream?.close());
  listen();
}
