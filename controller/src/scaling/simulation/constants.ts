/**
 * What the model knows of a real runtime: the figures of docs/performance.md, read from its tables, and those of the recording.
 */
import { readFileSync } from "node:fs";

export interface Constants {
  /** Packets a second that one runtime does with all of its lcore's time. */
  capacityPps: number;
  /** Flows a second that one runtime gives to another, under traffic. */
  moveFlowsPerSecond: number;
  /** From asking for a runtime to its taking flows. */
  startMs: number;
  /** From a runtime's death to the supervisor's having it back, without flows. */
  restartMs: number;
  /** Packets that wait for a runtime before one is lost: its ring, and what the vswitch keeps besides. */
  queuePackets: number;
}

/** docs/packet_path.md, runtime_full. */
const QUEUE_PACKETS = 512 + 2048;

const ROWS = {
  packetNs: ["vswitch", "firewall, nat44, load_balancer, 64k flows, 1 runtime", "runtimes [ns]"],
  moveFlowsPerSecond: ["migrate", "10k flows, saturating traffic, 1k at once", "flows_per_second [flows/s]"],
} as const;

/** The median of one row of the page. Throws when there is none. */
export function measured(page: string, [bench, name, metric]: readonly [string, string, string]): number {
  const section = page.split(`<!-- begin: bench ${bench} -->`)[1]?.split(`<!-- end: bench ${bench} -->`)[0];
  const row = section?.split("\n").find((line) => line.startsWith(`| ${name} | ${metric} |`));
  const value = Number(row?.split("|")[3]?.replaceAll(",", ""));
  if (!(value > 0)) throw new Error(`docs/performance.md has no row '${name}', '${metric}' of ${bench}: 'npm run bench -- ${bench} --write' makes it`);
  return value;
}

/** `startMs` and `restartMs` were measured with the recorded load: see there. */
export function readConstants(performancePage: string, recorded: { start_ms: number; restart_ms: number }): Constants {
  const page = readFileSync(performancePage, "utf8");
  return {
    capacityPps: 1e9 / measured(page, ROWS.packetNs),
    moveFlowsPerSecond: measured(page, ROWS.moveFlowsPerSecond),
    startMs: recorded.start_ms,
    restartMs: recorded.restart_ms,
    queuePackets: QUEUE_PACKETS,
  };
}
