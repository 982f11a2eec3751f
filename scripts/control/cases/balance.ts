/**
 * A load step that is too much for two runtimes: from the order that makes each packet dearer until three runtimes share the load and none has too much, with
 * what was lost of numbered packets meanwhile. The policy's times are the standard ones. Its thresholds are low, so that two CPUs have room for runtimes, the
 * wire and its ends; the step is set by what a packet costs on the machine at hand.
 */
import { createHash } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { LIMITS } from "@nfactor/sdk/abi";
import { buildNf } from "@nfactor/sdk/build";
import { NumberedFlows } from "../../lib/numbered_flows.ts";
import { WORK, writeWorkNf } from "../../lib/work_nf.ts";
import type { DeploymentJson } from "../../../controller/src/cli/api.ts";
import type { ControlLab } from "../control_lab.ts";
import type { Samples } from "../samples.ts";
import { clockMs } from "../worker.ts";
import type { Effort } from "./index.ts";

const CASE = "load step, 2 to 3 runtimes";
const NAME = "web";
const FLOWS = 60;
const EVERY_MS = 10;
const THRESHOLDS = { load_high: 0.185, load_target: 0.16, load_low: 0.08 };
/** Of all runtimes together: too much for two and enough for three. */
const STEP_LOAD = 0.45;
const CALM_ROUNDS = 500;
/** A call with a full burst stays below its budget. */
const ROUNDS_MAX = 6_000;
const CALIBRATE_MS = 4_000;
const LOOK_MS = 100;
const WITHIN_MS = 90_000;
/** Loads are judged over so many reports, of one a second: a process tells its busy time three times a second. */
const WINDOW = 3;

type Runtime = NonNullable<DeploymentJson["runtimes"]>["runtimes"][number];
type Report = NonNullable<DeploymentJson["runtimes"]>;
const runtimesOf = (report: Report): Runtime[] => report.runtimes.filter(({ runtime }) => runtime > 0);

export async function measureBalance(lab: ControlLab, samples: Samples, { steps }: Effort): Promise<void> {
  if (steps === 0) return;
  await lab.start();
  const { component } = await buildNf(writeWorkNf(lab.network.folder));
  await lab.user.ask("push", { component, digest: createHash("sha256").update(component).digest("hex") });
  for (let i = 0; i < steps; i++) await step(lab, samples);
}

async function step(lab: ControlLab, samples: Samples): Promise<void> {
  await lab.user.ask("deploy", NAME, deployment(lab, CALM_ROUNDS));
  const traffic = await NumberedFlows.start(lab.network, { flows: FLOWS, everyMs: EVERY_MS });
  const first = await report(lab);
  await pause(CALIBRATE_MS);
  const calm = loads(first, await report(lab)).reduce((sum, load) => sum + load, 0);
  const rounds = Math.min(ROUNDS_MAX, Math.round((CALM_ROUNDS * STEP_LOAD) / calm));

  console.error(`  a step from ${CALM_ROUNDS} to ${rounds} rounds: load ${calm.toFixed(3)} becomes ${((calm * rounds) / CALM_ROUNDS).toFixed(2)}`);
  const { endedMs: atMs } = await lab.user.ask("deploy", NAME, deployment(lab, rounds));
  const { grownMs, balancedMs, moved } = await untilBalanced(lab);
  samples.add(CASE, "third_runtime", "s", (grownMs - atMs) / 1000);
  samples.add(CASE, "balanced", "s", (balancedMs - atMs) / 1000);
  samples.add(CASE, "flows_moved", "flows", moved);
  const { lost, reordered } = await traffic.end();
  samples.add(CASE, "packets_lost", "packets", lost);
  samples.add(CASE, "packets_reordered", "packets", reordered);
  await lab.user.ask("undeploy", NAME);
}

function deployment(lab: ControlLab, rounds: number): object {
  return {
    apiVersion: "nfactor/v1",
    ports: { client: { iface: lab.network.clientIface }, server: { iface: lab.network.serverIface } },
    placement: "round_robin",
    scaling: { min: 2, max: 3, ...THRESHOLDS },
    chain: Array.from({ length: LIMITS.chain_nfs_max }, (_, i) => ({ name: `${WORK}_${i}`, nf: WORK, config: { rounds } })),
  };
}

async function report(lab: ControlLab): Promise<Report> {
  for (const endMs = clockMs() + WITHIN_MS; clockMs() < endMs; await pause(LOOK_MS)) {
    const { runtimes } = (await lab.user.ask("deployment", NAME)).value;
    if (runtimes) return runtimes;
  }
  throw new Error("its runtimes report nothing");
}

/** Of those that are in both, as a part of a core each. */
function loads(before: Report, after: Report): number[] {
  const us = after.at_us - before.at_us;
  return runtimesOf(after).flatMap(({ runtime, busy_us }) => {
    const was = before.runtimes.find((one) => one.runtime === runtime);
    return was ? [(busy_us - was.busy_us) / us] : [];
  });
}

/** It is balanced from the beginning of the first time of some seconds on in which three runtimes have served and none had too much. */
async function untilBalanced(lab: ControlLab): Promise<{ readonly grownMs: number; readonly balancedMs: number; readonly moved: number }> {
  let grownMs: number | undefined;
  let seen: { readonly atMs: number; readonly report: Report }[] = [];
  let last: readonly number[] = [];
  for (const endMs = clockMs() + WITHIN_MS; clockMs() < endMs; await pause(LOOK_MS)) {
    const now = await report(lab);
    if (now.at_us === seen.at(-1)?.report.at_us) continue;
    const own = runtimesOf(now);
    if (own.length < 3 || own.some(({ state }) => state !== "running")) {
      seen = [];
      continue;
    }
    grownMs ??= clockMs();
    seen = [...seen, { atMs: clockMs(), report: now }].slice(-1 - WINDOW);
    if (seen.length <= WINDOW) continue;
    last = loads(seen[0]!.report, now);
    if (last.every((load) => load < THRESHOLDS.load_high))
      return { grownMs, balancedMs: seen[0]!.atMs, moved: own.reduce((sum, { moved_in }) => sum + moved_in, 0) };
  }
  throw new Error(`it is not balanced after ${WITHIN_MS} ms: the last loads were ${last.map((load) => load.toFixed(3)).join(", ")}`);
}
