// As much of a browser as the libraries ask for while they are loaded. Nothing is drawn.
import { webcrypto } from "node:crypto";

const element = () => ({
  style: {},
  addEventListener() {},
  appendChild() {},
  setAttribute() {},
  getContext: () => null,
});

globalThis.window = globalThis.self = globalThis;
globalThis.document = { ...element(), body: element(), head: element(), createElement: element };
globalThis.navigator ??= { platform: "", userAgent: "" };
globalThis.HTMLDivElement = class {};
// Node 18 lacks both
globalThis.crypto ??= webcrypto;
globalThis.CustomEvent ??= class extends Event {};

// stdout carries the answer alone
for (const level of ["debug", "info", "log"]) console[level] = console.error;
