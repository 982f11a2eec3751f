// Writes everything that states an ABI number from nf_abi.json. `--check` writes nothing and fails when a file differs.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { assemblyscript } from "./generator/assemblyscript.ts";
import { cpp } from "./generator/cpp.ts";
import { readAbi } from "./generator/model.ts";
import { markdown, wit } from "./generator/text.ts";
import { typescript } from "./generator/typescript.ts";

const abi = readAbi(new URL("nf_abi.json", import.meta.url));
const files: [string, string][] = [
  ["gen/nf_abi.h", cpp(abi)],
  ["gen/abi.as.ts", assemblyscript(abi)],
  ["gen/abi.ts", typescript(abi)],
  ["../wit/nf.wit", wit(abi)],
  ["../../docs/abi.md", markdown(abi)],
];

const check = process.argv.includes("--check");
let different = 0;
for (const [name, text] of files) {
  const path = fileURLToPath(new URL(name, import.meta.url));
  if (existsSync(path) && readFileSync(path, "utf8") === text) continue;
  different += 1;
  if (check) {
    console.error(`${name} is not what nf_abi.json says: run 'npm run generate' and commit the result.`);
    continue;
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  console.log(`wrote ${name}`);
}
if (check && different > 0) process.exitCode = 1;
