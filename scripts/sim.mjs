#!/usr/bin/env node
// `npm run sim -- --seeds N --first S`: builds the simulator of the protocols (docs/simulator.md) and runs it with the terminal passed on.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { buildNative, checkNode } from "./bootstrap.mjs";
import { main, runSteps } from "./lib/steps.mjs";

main(async () => {
  checkNode();
  let dir = "";
  const build = async (show) => {
    dir = await buildNative({ targets: ["nf_sim"], show });
  };
  await runSteps([{ title: "simulator of the protocols", run: build }]);
  const child = spawn(join(dir, "nf_sim"), process.argv.slice(2), { stdio: "inherit" });
  process.exitCode = await new Promise((done) => child.on("close", (code, signal) => done(code ?? (signal ? 130 : 1))));
});
