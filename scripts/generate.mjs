#!/usr/bin/env node
// `npm run generate`: every file that is made from another one, in the order in which they depend on each other. With --check nothing is written:
// exit code 1, each file that differs is named.
import { spawnSync } from "node:child_process";
import { ROOT } from "./lib/steps.mjs";

const GENERATORS = ["sdk/abi/generate.ts", "host/src/docs/generate.ts", "controller/src/docs/generate.ts"];

for (const file of GENERATORS) {
  const { status } = spawnSync(process.execPath, ["--import", "./sdk/register.mjs", file, ...process.argv.slice(2)], { cwd: ROOT, stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}
