/**
 * Runtimes and moved flows as JSON: in a run's result, over the control socket, and in what the commands print. Counters are since the start.
 */
import { z } from "zod";
import type { MoveRefusal, OperationReport, RuntimeStatus } from "../dataplane/native_types.ts";

const amount = z.int().min(0);
/** Of a fast port they pass in days what a number can be without rounding. */
const bytes = z.number().min(0);

/** Upper bounds of delays, µs, as DelayMeter in the dataplane counts them; the last count is of all above. */
export const DELAY_BOUNDS_US: readonly number[] = Array.from({ length: 20 }, (_, i) => 2 ** (i + 1));
/** The same of recoveries, ms. */
export const RECOVERY_BOUNDS_MS: readonly number[] = [5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];

export const runtimeSchema = z.strictObject({
  runtime: amount.describe("From 1; 0 is the virtual switch."),
  lcore: amount.describe("The thread that it runs on."),
  state: z
    .enum(["vswitch", "running", "draining", "drained", "down"])
    .describe("draining: it gets no new flows; drained: and has none left; down: its process has died and is being started again."),
  flows: amount.describe("Open flows; of the virtual switch, its route entries."),
  received: amount.describe("Packets."),
  sent: amount,
  dropped: amount,
  held: amount,
  received_bytes: bytes.default(0),
  sent_bytes: bytes.default(0),
  drops: z.record(z.string(), amount).default({}).describe("The dropped packets by reason (docs/abi.md), and those of all NFs as nf; only those above 0."),
  moved_in: amount.describe("Flows."),
  moved_out: amount,
  under_way: amount.describe("Flows that are moving away now."),
  nf_asked: amount.describe("How often its NFs were asked where a flow should go."),
  nf_moves: amount.describe("Moves that this began, those under way and those that failed included."),
  nf_moves_failed: amount.describe("Moves that NFs wanted and that failed, or named no runtime that takes flows."),
  arrivals_refused: amount.describe("Flows that came and that an NF here did not take."),
  queued: amount.describe("Packets that wait in its input ring."),
  missed: amount.describe("Of the virtual switch: packets that the interfaces lost before it took them."),
  runtime_full: amount
    .default(0)
    .describe(
      "Packets that the virtual switch dropped since this runtime's queue was full (drop reason runtime_full); of the virtual switch: of all. Such a runtime is overloaded.",
    ),
  replicas: amount.describe("Replicas of others' flows that it keeps."),
  unprotected: amount.describe("With replication: its flows without a replica, or without all of it."),
  replication_lag: amount.describe("Updates on their way to replicas."),
  relayed: amount.describe("Where replicas relay: packets it has sent for others' flows; of the switch: copies of them that came second, and were dropped."),
  recovered: amount.describe("Flows that it made of replicas after their runtime's death; of the virtual switch: that it sent to them."),
  state_lost: amount.describe("Flows that began anew, since their state died with a runtime."),
  refused_messages: amount.describe("Messages of the others that could not be read: never, unless NFActor itself is at fault."),
  delay: z
    .strictObject({ counts: z.array(amount).max(64), sum_us: z.number().min(0) })
    .optional()
    .describe(
      "Of the virtual switch: how long packets were in here, from interface to interface; of a sample, one in 50 µs at most. " +
        "counts: those of at most 2, 4, 8 … µs, each without those before it, the last one all that took longer.",
    ),
  recoveries: z
    .strictObject({ counts: z.array(amount).max(64), sum_ms: z.number().min(0) })
    .optional()
    .describe(
      "Of the virtual switch, with replication: deaths of runtimes since the supervisor started, by the time until the last of their flows went on elsewhere; 0 if all did before it knew. " +
        `counts: those of at most ${RECOVERY_BOUNDS_MS.join(", ")} ms, each without those before it, the last one all that took longer.`,
    ),
  busy_us: amount.describe("Time with work in it, µs; load is its growth over the time passed."),
  busy_at_us: amount.optional().describe("In process mode: when it told busy_us, by the clock of at_us; it is asked for three times a second."),
  pid: amount.optional().describe("In process mode, while it has a process; counters are then since the start of that process."),
  restarts: amount.optional().describe("In process mode: how often it was started again."),
  peer: z.string().optional().describe("Of one that was added at a peer: its name."),
  targets: z.array(amount).optional().describe("Runtimes that keep the replicas of its flows, as long as one of them can; left out: any."),
  agent: z.string().optional().describe("Of a runtime on another machine: address of the agent that keeps it there."),
  unreachable: z.boolean().optional().describe("That agent does not answer: counters are the last that were heard, and packets may flow nevertheless."),
  refused_frames: z
    .record(z.string(), amount)
    .optional()
    .describe("In process mode: frames that came over its link and went nowhere, by what was wrong: forged, replayed, wrong_life, malformed, unsound …"),
});
/** How an NF of the chain fares, over all runtimes. */
export const nfHealthSchema = z.strictObject({
  entry: z.string().max(255),
  version: z.string().max(64),
  faults: amount.describe("Since the start."),
  quarantined: z.boolean().describe("It faulted too often: until it is swapped its packets are dropped, or pass by it, as its manifest says."),
  last_fault: z.string().max(1000).optional().describe("Of this version: what, and where in its source."),
});
export type NfHealthJson = z.output<typeof nfHealthSchema>;
export type RuntimeJson = z.output<typeof runtimeSchema>;

export const MOVE_REFUSALS = [
  "none",
  "chain",
  "layout",
  "room",
  "busy",
  "draining",
  "no_member",
  "no_flow",
  "cancelled",
  "timeout",
  "nf",
] as const satisfies readonly MoveRefusal[];

/** How a migration or a drain ended. */
export const operationFields = {
  dry_run: z.boolean(),
  flows: amount.describe("Flows that it was about when it began."),
  moved: amount,
  failed: amount.describe("Flows that stayed where they were."),
  reason: z.enum(MOVE_REFUSALS).describe("Of the last flow that failed; of a dry run, what would be refused as things are."),
  drained: z.boolean().describe("The source has no flows left."),
  undrained: z.boolean().describe("A drain that 'nfactor undrain' ended: what had not begun to move stayed."),
  duration_ns: amount,
};

export function runtimeJson(status: RuntimeStatus): RuntimeJson {
  return {
    runtime: status.runtime,
    lcore: status.lcore,
    state: stateOf(status),
    flows: status.flowsOpen,
    received: Number(status.received),
    sent: Number(status.sent),
    dropped: Number(status.dropped),
    held: Number(status.held),
    received_bytes: Number(status.receivedBytes),
    sent_bytes: Number(status.sentBytes),
    drops: numbers(status.drops),
    moved_in: Number(status.movedIn),
    moved_out: Number(status.movedOut),
    under_way: status.migrations,
    nf_asked: Number(status.nfAsked),
    nf_moves: Number(status.nfMoves),
    nf_moves_failed: Number(status.nfMovesFailed),
    arrivals_refused: Number(status.arrivalsRefused),
    queued: status.queued,
    missed: Number(status.missed),
    runtime_full: Number(status.runtimeFull),
    replicas: status.replicas,
    unprotected: status.unprotected,
    replication_lag: status.replicationLag,
    relayed: Number(status.relayed),
    recovered: Number(status.recovered),
    state_lost: Number(status.stateLost),
    refused_messages: Number(status.refusedMessages),
    ...(status.delay === undefined ? {} : { delay: { counts: status.delay.counts.map(Number), sum_us: Number(status.delay.sumNs) / 1000 } }),
    ...(status.recoveries === undefined ? {} : { recoveries: { counts: [...status.recoveries.counts], sum_ms: status.recoveries.sumMs } }),
    busy_us: Number(status.busyNs / 1000n),
    ...(status.process ? processJson(status.process) : {}),
  };
}

const numbers = (counts: Record<string, bigint>): Record<string, number> => Object.fromEntries(Object.entries(counts).map(([name, n]) => [name, Number(n)]));

function processJson({ pid, restarts, busyAtUs, agent, peer, homes = [], isReachable = true, refusedFrames = {} }: NonNullable<RuntimeStatus["process"]>) {
  return {
    restarts,
    ...(busyAtUs === undefined ? {} : { busy_at_us: busyAtUs }),
    ...(pid === undefined ? {} : { pid }),
    ...(peer === undefined ? {} : { peer }),
    ...(homes.length === 0 ? {} : { targets: [...homes] }),
    ...(agent === undefined ? {} : { agent }),
    ...(isReachable ? {} : { unreachable: true }),
    ...(Object.keys(refusedFrames).length === 0 ? {} : { refused_frames: numbers(refusedFrames) }),
  };
}

function stateOf({ runtime, draining, flowsOpen, process }: RuntimeStatus): RuntimeJson["state"] {
  if (process?.isUp === false) return "down";
  if (runtime === 0) return "vswitch";
  return !draining ? "running" : flowsOpen > 0 ? "draining" : "drained";
}

export function operationJson(flows: number, { moved, failed, reason, drained, undrained, durationNs }: OperationReport) {
  return { dry_run: false, flows, moved, failed, reason, drained, undrained, duration_ns: Number(durationNs) };
}
