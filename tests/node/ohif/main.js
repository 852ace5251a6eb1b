import "./browser.js";

import { open, start } from "./study.js";

async function main(folders) {
  start();
  const answers = {};
  for (const folder of folders) answers[folder] = await open(folder); // one after the other: annotations are global
  process.stdout.write(JSON.stringify(answers));
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
