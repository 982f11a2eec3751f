/**
 * From an NF's upload to packets that it has handled: as the NF of a new deployment of two runtimes, and swapped into one that runs. The first is compared
 * with `nfactor run` of the same chain in the same processes, the second with a swap back to a version that is there.
 */
import { closeSync, fsyncSync, openSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { ControlLab } from "../control_lab.ts";
import { end } from "../control_lab.ts";
import type { Samples } from "../samples.ts";
import { StampedFlows } from "../stamped_flows.ts";
import { STAMP, type StampingNf, buildStampingNf } from "../stamping_nf.ts";
import { clockMs } from "../worker.ts";
import type { Effort } from "./index.ts";

export const RUNTIMES = 2;
const FLOWS = 8;
const EVERY_MS = 4;
const PACKET_MS = 60_000;
const NAME = "web";

const ALONE = "nfactor run, without a controller";
const NEW = "upload to serving, new deployment";
const SWAP = "upload to serving, swap";
const AGAIN = "swap to a version that is there";

/** A chain of this version between the ends of the lab. */
export function deploymentOf(lab: ControlLab, nf: Pick<StampingNf, "version">, more: object = {}): object {
  return {
    apiVersion: "nfactor/v1",
    ports: { client: { iface: lab.network.clientIface }, server: { iface: lab.network.serverIface } },
    scaling: { min: RUNTIMES, max: RUNTIMES },
    chain: [{ nf: `${STAMP}@${nf.version}`, grant: { edit: "payload" } }],
    ...more,
  };
}

export async function measureServing(lab: ControlLab, samples: Samples, { runs }: Effort): Promise<void> {
  await lab.start();
  const flows = await StampedFlows.start(lab.network, { flows: FLOWS, everyMs: EVERY_MS });
  let stamp = 0;
  const next = (): Promise<StampingNf> => buildStampingNf(lab.network.folder, (stamp += 1));
  for (let run = 0; run < runs; run++) {
    await alone(lab, samples, flows, await next());
    const nf = await next();
    await newDeployment(lab, samples, flows, nf);
    await swap(lab, samples, flows, nf, await next());
    await lab.user.ask("undeploy", NAME);
  }
}

async function alone(lab: ControlLab, samples: Samples, flows: StampedFlows, { stamp, path }: StampingNf): Promise<void> {
  const { clientIface, serverIface } = lab.network;
  const ports = ["--client-iface", clientIface, "--server-iface", serverIface];
  const chain = ["--chain", path, "--grant", `${STAMP}=edit:payload`, "--runtimes", String(RUNTIMES), "--processes"];
  const { child, atMs } = lab.command("run", ...chain, ...ports, "--name", "alone", "--flows", "0", "--quiet", "--json");
  try {
    const { firstMs } = await flows.until(stamp, PACKET_MS);
    samples.add(ALONE, "serving", "ms", firstMs - atMs);
  } finally {
    await end(child, "SIGTERM");
  }
}

async function newDeployment(lab: ControlLab, samples: Samples, flows: StampedFlows, nf: StampingNf): Promise<void> {
  const pushed = await lab.user.ask("push", nf);
  const deployed = await lab.user.ask("deploy", NAME, deploymentOf(lab, nf));
  const { firstMs } = await flows.until(nf.stamp, PACKET_MS);
  samples.add(NEW, "serving", "ms", firstMs - pushed.beganMs, { case: ALONE });
  samples.add(NEW, "upload", "ms", pushed.endedMs - pushed.beganMs, { metric: "copy" });
  samples.add(NEW, "deploy", "ms", deployed.endedMs - deployed.beganMs);
  samples.add(NEW, "copy", "ms", copyMs(lab, nf.component));
}

async function swap(lab: ControlLab, samples: Samples, flows: StampedFlows, from: StampingNf, to: StampingNf): Promise<void> {
  const pushed = await lab.user.ask("push", to);
  const swapped = await lab.user.ask("swap", NAME, STAMP, `${STAMP}@${to.version}`);
  const { firstMs, allMs } = await flows.until(to.stamp, PACKET_MS);
  samples.add(SWAP, "serving", "ms", allMs - pushed.beganMs, { case: AGAIN });
  samples.add(SWAP, "first_packet", "ms", firstMs - pushed.beganMs);
  samples.add(SWAP, "upload", "ms", pushed.endedMs - pushed.beganMs);
  samples.add(SWAP, "swap", "ms", swapped.endedMs - swapped.beganMs);
  // Only a stamp that was not seen before tells when packets have it: the answer says it here, once all runtimes have it.
  const back = await lab.user.ask("swap", NAME, STAMP, `${STAMP}@${from.version}`);
  samples.add(AGAIN, "serving", "ms", back.endedMs - back.beganMs);
}

/** What an upload is at least: a file that is on the disk under its name. */
function copyMs(lab: ControlLab, bytes: Uint8Array): number {
  const folder = lab.folder("copies");
  const from = clockMs();
  const file = openSync(join(folder, "copy.tmp"), "w", 0o600);
  writeSync(file, bytes);
  fsyncSync(file);
  closeSync(file);
  renameSync(join(folder, "copy.tmp"), join(folder, "copy"));
  const directory = openSync(folder, "r");
  fsyncSync(directory);
  closeSync(directory);
  return clockMs() - from;
}
