#!/usr/bin/env node
// `npm run demo`, `npm run bench`: bootstrap, then the TypeScript program that does the work, with the terminal passed on.
import { spawn } from "node:child_process";
import { bootstrapSteps, checkNode } from "./bootstrap.mjs";
import { ROOT, StepError, main, runSteps } from "./lib/steps.mjs";

const PROGRAMS = {
  demo: { purpose: "demo", file: "scripts/demo.ts" },
  bench: { purpose: "build", file: "scripts/bench.ts" },
};

main(async () => {
  const [name, ...args] = process.argv.slice(2);
  const program = PROGRAMS[name];
  if (!program) throw new StepError(`unknown program '${name}': allowed are ${Object.keys(PROGRAMS).join(", ")}.`);
  checkNode();
  await runSteps(bootstrapSteps(program.purpose));
  const child = spawn(process.execPath, ["--import", "./sdk/register.mjs", program.file, ...args], { cwd: ROOT, stdio: "inherit" });
  // The child gets the terminal's signals itself; this process waits for it to clean up.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => signal === "SIGTERM" && child.kill(signal));
  process.exitCode = await new Promise((done) => child.on("close", (code, signal) => done(code ?? (signal ? 130 : 1))));
});
