/** Runtimes as a table with rates, and how a migration or a drain ended in words. */
import type { MoveRefusal } from "../dataplane/native_types.ts";
import type { RuntimeJson } from "./runtimes_result.ts";
import { count, duration, plural, safeText, si, table } from "./text.ts";

export interface RuntimesSample {
  runtimes: readonly RuntimeJson[];
  /** Of the host's monotonic clock, µs. */
  atUs: number;
}

export interface RuntimeRates {
  /** Part of the time with work in it, 0 to 1. */
  load: number;
  received_pps: number;
  sent_pps: number;
}

/** Between two samples; a runtime that is new counts from its start. */
export function ratesOf(now: RuntimesSample, before: RuntimesSample): (RuntimeJson & RuntimeRates)[] {
  const us = Math.max(now.atUs - before.atUs, 1);
  return now.runtimes.map((one) => {
    const then = before.runtimes.find(({ runtime }) => runtime === one.runtime);
    const per = (name: "received" | "sent" | "busy_us", overUs = us) => Math.max(0, one[name] - (then?.[name] ?? 0)) / overUs;
    // Of a process, busy_us is as old as its last answer, and so is that of the sample before.
    const busyUs = (one.busy_at_us ?? now.atUs) - (then?.busy_at_us ?? before.atUs);
    return { ...one, load: busyUs > 0 ? Math.min(1, per("busy_us", busyUs)) : 0, received_pps: per("received") * 1e6, sent_pps: per("sent") * 1e6 };
  });
}

export const nameOf = (runtime: number): string => (runtime === 0 ? "vswitch" : String(runtime));

/** The columns that matter most come first: a view that is too narrow cuts the others off. One without any cell is left out. */
const COLUMNS: readonly (readonly [name: string, cell: (row: RuntimeJson & RuntimeRates) => string])[] = [
  ["runtime", ({ runtime }) => nameOf(runtime)],
  ["state", ({ state }) => (state === "vswitch" ? "" : state)],
  ["flows", ({ flows }) => count(flows)],
  ["load", ({ load }) => `${(100 * load).toFixed(0)} %`],
  ["in/s", ({ received_pps }) => si(received_pps).trimEnd()],
  ["out/s", ({ sent_pps }) => si(sent_pps).trimEnd()],
  ["under way", ({ runtime, under_way }) => (runtime === 0 ? "" : count(under_way))],
  ["moved in", ({ runtime, moved_in }) => (runtime === 0 ? "" : count(moved_in))],
  ["moved out", ({ runtime, moved_out }) => (runtime === 0 ? "" : count(moved_out))],
  ["by NFs", ({ nf_moves }) => (nf_moves === 0 ? "" : count(nf_moves))],
  ["not taken", ({ arrivals_refused }) => (arrivals_refused === 0 ? "" : count(arrivals_refused))],
  ["replicas", ({ replicas }) => (replicas === 0 ? "" : count(replicas))],
  ["unprotected", ({ unprotected }) => (unprotected === 0 ? "" : count(unprotected))],
  ["lag", ({ replication_lag }) => (replication_lag === 0 ? "" : count(replication_lag))],
  ["relayed", ({ relayed }) => (relayed === 0 ? "" : count(relayed))],
  ["recovered", ({ recovered }) => (recovered === 0 ? "" : count(recovered))],
  ["state lost", ({ state_lost }) => (state_lost === 0 ? "" : count(state_lost))],
  ["queue full", ({ runtime_full }) => (runtime_full === 0 ? "" : count(runtime_full))],
  ["queue", ({ queued }) => count(queued)],
  ["drops", ({ dropped }) => count(dropped)],
  ["lcore", ({ lcore, restarts }) => (restarts === undefined ? String(lcore) : "")],
  ["pid", ({ pid }) => (pid === undefined ? "" : String(pid))],
  ["restarts", ({ restarts }) => (restarts === undefined ? "" : count(restarts))],
  ["replicas at", ({ targets = [] }) => targets.join(", ")],
  ["peer", ({ peer = "" }) => peer],
  ["agent", ({ agent, unreachable }) => (agent === undefined ? "" : `${agent}${unreachable ? ", unreachable" : ""}`)],
];

export function runtimesTable(rows: readonly (RuntimeJson & RuntimeRates)[]): string {
  const columns = COLUMNS.filter(([, cell]) => rows.some((row) => cell(row) !== ""));
  const lines = rows.map((row) => columns.map(([, cell]) => safeText(cell(row), 100)));
  const right = columns.map((_, i) => i).filter((i) => i > 1);
  return [table([columns.map(([name]) => name), ...lines], right), ...warnings(rows)].join("\n");
}

export const missedText = (packets: number): string =>
  `the interfaces lost ${plural(packets, "packet")} before they came here: packets come faster than they are taken`;

/** Frames that a member's links did not take, which somebody else may have sent. */
function refusedText(runtime: number, frames: Readonly<Record<string, number>>): string {
  const what = Object.entries(frames).map(([name, n]) => `${count(n)} ${safeText(name, 40).replaceAll("_", " ")}`);
  return `${runtime === 0 ? "the vswitch" : `runtime ${runtime}`} refused frames on its link: ${what.join(", ")}`;
}

/** What should be 0 has no column, and is told when it isn't. */
function warnings(runtimes: readonly RuntimeJson[]): string[] {
  return runtimes.flatMap(({ runtime, missed, refused_messages, refused_frames = {} }) => [
    ...(missed > 0 ? [missedText(missed)] : []),
    ...(Object.keys(refused_frames).length > 0 ? [refusedText(runtime, refused_frames)] : []),
    ...(refused_messages > 0
      ? [
          `${runtime === 0 ? "the vswitch" : `runtime ${runtime}`} could not read ${plural(refused_messages, "message")} of the others: a fault of NFActor, please report it`,
        ]
      : []),
  ]);
}

/** At the end of a run: who has done what. */
export function runtimesSummary(runtimes: readonly RuntimeJson[]): string {
  const rows = runtimes.map((one) => [
    nameOf(one.runtime),
    count(one.received),
    count(one.sent),
    count(one.dropped),
    ...(one.runtime === 0 ? [] : [count(one.moved_in), count(one.moved_out)]),
  ]);
  const lines = table([["runtime", "received", "sent", "dropped", "moved in", "moved out"], ...rows], [1, 2, 3, 4, 5]);
  // What the interfaces lost stands with the packets.
  return [lines, ...warnings(runtimes.map((one) => ({ ...one, missed: 0 })))].join("\n");
}

/** What a refusal means, and what can be done about it. */
const REFUSALS: Record<MoveRefusal, readonly [why: string, fix: string]> = {
  none: ["", ""],
  chain: ["the target runs another chain", "A swap was going on, perhaps: try again when it has ended."],
  layout: ["an NF of the target keeps its states in another layout", "Try again when the swap that is going on has ended."],
  room: ["the target has no room for more flows", "Choose another target, or add one with 'nfactor runtimes add'."],
  busy: ["they were moving or ending already", "Try again."],
  draining: ["the target is being drained", "Choose another target, or let it take flows again with 'nfactor undrain'."],
  no_member: ["the target is gone", "'nfactor runtimes' shows which ones there are."],
  no_flow: ["they ended, or moved away, before their turn came", "'nfactor flows' shows where flows are."],
  cancelled: ["the move was called off before they had left", "Try again."],
  nf: ["an NF of the target did not take them", "Its log, or the host's faults, may say why; choose another target."],
  timeout: ["the target did not answer in time", "'nfactor runtimes' shows whether it is overloaded; try again."],
};

export interface RecoveryJson {
  runtime: number;
  dry_run: boolean;
  flows: number;
  recovered: number;
  lost: number;
  duration_ns: number;
  restarts: boolean;
}

export function recoveryText({ runtime, dry_run, recovered, lost, duration_ns, restarts }: RecoveryJson): string {
  const [go, lose] = dry_run ? ["would go on elsewhere", "would lose their state"] : [`recovered in ${duration(duration_ns)}`, "have lost their state"];
  const losses = lost === 0 ? "" : `, ${count(lost)} ${lose}`;
  if (dry_run) return `runtime ${runtime}: ${plural(recovered, "flow")} ${go}${losses}. Nothing was changed.`;
  const next = restarts ? "its process is started again" : "it is gone; 'nfactor runtimes add' starts another one";
  return `runtime ${runtime} is dead: ${plural(recovered, "flow")} ${go}${losses}; ${next}`;
}

export interface OperationJson {
  dry_run: boolean;
  flows: number;
  moved: number;
  failed: number;
  reason: MoveRefusal;
  drained: boolean;
  undrained: boolean;
  duration_ns: number;
}

/** `what` is like "runtime 1 → 2"; `source` the runtime that the flows were in. */
export function operationText(what: string, source: number, { dry_run, flows, moved, failed, reason, drained, undrained, duration_ns }: OperationJson): string {
  const [why, fix] = REFUSALS[reason];
  if (dry_run) {
    const refused = reason === "none" ? "" : `\n  they would be refused: ${why}. ${fix}`;
    return `${what}: ${plural(flows, "flow")} would move. Nothing was changed.${refused}`;
  }
  const rate = moved > 1 && duration_ns > 0 ? ` (${si(moved / (duration_ns / 1e9)).trimEnd()} flows/s)` : "";
  return [
    `${what}: ${plural(moved, "flow")} moved in ${duration(duration_ns)}${rate}`,
    ...(failed > 0 ? [`  ${count(failed)} stayed where they were: ${why}. ${fix}`] : []),
    ...(undrained ? [`  'nfactor undrain' ended it: runtime ${source} takes new flows again, and flows that had not begun to move stay there`] : []),
    ...(drained ? [`  runtime ${source} has no flows left`] : []),
  ].join("\n");
}
