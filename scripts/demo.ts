/**
 * `npm run demo`: what the product is for, on real traffic, as a user would do it. An own NF is written, pushed and deployed by a controller, swapped for its
 * next version in a download, scaled out and in by load; then a runtime and the controller are killed. What is shown was measured in this run. Without root
 * there are no network namespaces, and it shows a capture file through a chain. Ends by itself, leaves nothing behind, exits with 1 when something did not
 * happen as it should.
 */
import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { capture } from "./demo/capture.ts";
import { killController, killRuntime, undeploy } from "./demo/deaths.ts";
import { CALM_MS, FLOWS, loadStep, scaleIn } from "./demo/load_step.ts";
import { deploy, seeItWork, startController, swapLive, writeNfs } from "./demo/authoring.ts";
import { Show } from "./demo/show.ts";
import { type Stage, secondsSince } from "./demo/stage.ts";
import { ClusterLab } from "./lib/cluster_lab.ts";
import { NetworkLab } from "./lib/network_lab.ts";
import { NumberedFlows } from "./lib/numbered_flows.ts";

const FILE_MIB = 128;
/** What is on its way on one connection fits where packets wait for a flow that moves, whatever the machine allows a connection by default. */
const WINDOW_BYTES = 1 << 20;

async function live(show: Show): Promise<void> {
  const lab = new NetworkLab();
  try {
    const www = await lab.startNginx();
    lab.silence();
    lab.limitWindow(WINDOW_BYTES);
    const bytes = randomBytes(FILE_MIB << 20);
    writeFileSync(join(www, "large"), bytes);
    const file = { url: `http://${lab.serverAddress}/large`, bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
    const stage: Stage = { lab, cluster: new ClusterLab(lab), show, file };
    await startController(stage);
    await writeNfs(stage);
    await deploy(stage);
    await seeItWork(stage);
    const traffic = await NumberedFlows.start(lab, { flows: FLOWS, everyMs: CALM_MS });
    await swapLive(stage);
    await loadStep(stage, traffic);
    await scaleIn(stage, traffic);
    await killRuntime(stage);
    await killController(stage);
    await undeploy(stage);
    await stage.cluster.close();
  } finally {
    lab.close();
  }
}

// What is to be removed is removed at exit, and a signal alone is none.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(130));
const show = new Show();
const begin = performance.now();
try {
  await capture(show);
  if (process.getuid?.() === 0) {
    await live(show);
    show.figure("the whole demo", `${secondsSince(begin).toFixed(0)} s`);
    show.figures();
  } else
    console.log(
      "\nNot root: without network namespaces there is no live traffic, so no controller, no own NF on it, no swap, no scaling and no repair to see.\n" +
        "'sudo npm run demo' shows them; docs/quick_start.md goes through most of it by hand.",
    );
} catch (error) {
  show.must(false, (error as Error).message);
}
console.log(process.exitCode ? "\nSomething did not happen as it should; see FAIL above." : "\nEverything happened as it should.");
// Also when a step that failed has left something that waits.
process.exit();
