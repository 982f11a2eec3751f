/** Kills the process of the runtime that carries a flow, and sees what becomes of the flow. */
import { setTimeout as pause } from "node:timers/promises";
import type { RuntimeJson } from "../../host/src/result/runtimes_result.ts";
import type { ControlClient } from "../../host/src/rpc/client.ts";
import type { HeldDownload } from "../lib/held_download.ts";

const WAIT_MS = 20_000;
const LOOK_MS = 20;
/** What processes say of themselves is asked for once in a second. */
const ASKED_EVERY_MS = 1500;

export interface Killed {
  runtime: number;
  pid: number;
  /** Where the flow is now. */
  heir: number;
  /** The longest time after the death in which no packet reached the downloading host, ms. */
  silenceMs: number;
  /** Until there was a process for it again, and every flow had a replica, ms. */
  wholeAgainMs: number;
}

async function until(client: ControlClient, what: string, holds: (all: readonly RuntimeJson[]) => boolean): Promise<readonly RuntimeJson[]> {
  for (const end = performance.now() + WAIT_MS; performance.now() < end; await pause(LOOK_MS)) {
    const { runtimes } = await client.call("runtimes", {});
    if (holds(runtimes)) return runtimes;
  }
  throw new Error(`${what}: not within ${WAIT_MS / 1000} s`);
}

const isWhole = (all: readonly RuntimeJson[]): boolean =>
  all.every(({ state, pid, unprotected, replication_lag }) => state !== "down" && pid !== undefined && unprotected === 0 && replication_lag < 64);
const pidOf = (all: readonly RuntimeJson[], runtime: number): number => all.find((one) => one.runtime === runtime)!.pid!;

/** kill -9 of the runtime that has the only flow that matches, in the middle of its download. */
export async function killRuntimeOf(client: ControlClient, match: string[], download: HeldDownload): Promise<Killed> {
  const at = async (): Promise<number> => (await client.call("flows", { match, limit: 1 })).flows[0]?.runtime ?? 0;
  await pause(ASKED_EVERY_MS);
  const before = await until(client, "every flow has a replica", isWhole);
  const runtime = await at();
  let [packets, last, silenceMs] = [download.packets, performance.now(), 0];
  const watch = setInterval(() => {
    const now = performance.now();
    const seen = download.packets;
    if (seen === packets) return;
    silenceMs = Math.max(silenceMs, now - last);
    [packets, last] = [seen, now];
  }, 1);
  try {
    await pause(200);
    silenceMs = 0;
    const killed = performance.now();
    const pid = pidOf(before, runtime);
    process.kill(pid, "SIGKILL");
    await until(client, "the runtime comes back", (all) => isWhole(all) && pidOf(all, runtime) !== pid);
    const wholeAgainMs = performance.now() - killed;
    return { runtime, pid, heir: await at(), silenceMs, wholeAgainMs };
  } finally {
    clearInterval(watch);
  }
}
