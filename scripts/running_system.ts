/**
 * Writes docs/running_system.md: starts a cluster on two hosts in namespaces of its own, lets users and the system ask for everything that controller and hosts
 * can ask of each other, and draws what is there. Needs root and a built tree; ends by itself and leaves nothing behind.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./lib/live_host.ts";
import { NetworkLab } from "./lib/network_lab.ts";
import { examplesOf } from "./lib/running_system/examples.ts";
import { PAGE, page } from "./lib/running_system/page.ts";
import { Scene } from "./lib/running_system/scene.ts";

if (process.getuid?.() !== 0) throw new Error("root is needed for network namespaces: run it with sudo");
const lab = new NetworkLab();
const scene = new Scene(lab);
try {
  const began = performance.now();
  await scene.begin();
  const facts = {
    deployment: await scene.deployment(),
    processes: scene.processes(),
    pids: scene.pids,
    ports: { client: lab.clientIface, server: lab.serverIface },
    addresses: { client: lab.clientAddress, server: lab.serverAddress },
  };
  await scene.goOn();
  const traffic = await scene.end();
  const lines = scene.lines();
  const streams = {
    seconds: (performance.now() - began) / 1000,
    requests: lines.filter(({ event }) => event === "answered" || event === "ended").length,
    bytes: lines.reduce((sum, { event, request_bytes = 0, answer_bytes = 0 }) => sum + (event === "begun" ? 0 : request_bytes + answer_bytes), 0),
  };
  writeFileSync(join(ROOT, PAGE), page({ facts, examples: examplesOf(lines, scene.commands), traffic, streams }));
  console.log(`wrote ${PAGE}`);
} finally {
  await scene.close();
  lab.close();
}
