// Opens studies with OHIF's published handler for Structured Reports and prints what a reader would see of them.
//
//   node ohif_sr.mjs FOLDER...
//
// Each folder is one study: DICOM files (*.dcm) or DICOM JSON (*.json), the photographs and one series of reports. The
// answer is one JSON object, a key for each folder; ohif/study.js says what it holds. The viewer's own words go to stderr.
// The published files run as they are: esbuild only puts them and what they import into one script.
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { compileFunction } from "node:vm";

import { buildSync } from "esbuild";

const folder = fileURLToPath(new URL(".", import.meta.url));
const stub = `${folder}ohif/stubs.js`;

const bundle = buildSync({
  absWorkingDir: folder,
  entryPoints: ["ohif/main.js"],
  bundle: true,
  write: false,
  outfile: "ohif_sr.cjs",
  format: "cjs",
  platform: "node",
  mainFields: ["browser", "module", "main"],
  conditions: ["browser"],
  logLevel: "error",
  alias: {
    "@ohif/core/src/contextProviders/SystemProvider": stub,
    "@ohif/extension-cornerstone": stub,
    "@ohif/i18n": stub,
    "@ohif/ui-next": stub,
  },
});

compileFunction(bundle.outputFiles[0].text, ["require"], { filename: "ohif_sr.cjs" })(createRequire(import.meta.url));
