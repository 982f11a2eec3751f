/**
 * One group as it stands: reports, memory and what is under way, put together to what the rules ask about. Made anew for each decision; rules take from it
 * what they have planned, so that the next rule sees it.
 */
import { type Decision, type Explanation, participants } from "./decision.ts";
import { readReport } from "./load.ts";
import { type GroupPolicy, type Policy, policyOf } from "./policy.ts";
import type { GroupState, RuntimeMemory } from "./state.ts";
import { unsay, withhold } from "./saying.ts";
import type { ClusterView, GroupView, HostView, RuntimeView } from "./view.ts";

export interface Standing {
  id: string;
  host: string;
  view: RuntimeView;
  memory: RuntimeMemory;
  /**
   * `unknown`: there, but nothing recent is known of it. `down`: it, or its host, is not there, and may come back by itself; `dead`: it has been down for too
   * long.
   */
  is: "starting" | "serving" | "draining" | "unknown" | "down" | "dead";
  /** It is on a host that is to be emptied, or that is none of the group's any more. */
  leaving: boolean;
  /** Part of its lcore's time; absent until it is known. */
  load: number | undefined;
  /** Of everything on its lcore together. */
  pressure: number;
  lcore: string;
  flows: number;
  /** Packets are being lost to its full queue, or soon will be. */
  overflows: boolean;
  /** It takes part in an operation. */
  busy: boolean;
}

/** What all groups share while one decision is made. */
export interface Cluster {
  view: ClusterView;
  policy: Policy;
  now: number;
  hosts: ReadonlyMap<string, HostView>;
  /** Runtimes on each host, those that are decided now included. */
  used: Map<string, number>;
  /** Of each tenant, likewise. */
  usedBy: Map<string, number>;
  /** Operations that may still begin. */
  operationsLeft: number;
  /** More than half of the hosts seem dead: it is more likely the controller that is cut off. */
  cutOff: boolean;
}

export interface Group {
  cluster: Cluster;
  view: GroupView;
  policy: GroupPolicy;
  state: GroupState;
  standings: Standing[];
  decisions: Decision[];
  explanations: Explanation[];
  /** A runtime has too much, and there is none that could take flows of it. */
  stuck: boolean;
}

/** Single packets that are lost when a burst meets a full ring are not load. */
const OVERFLOW_PPS = 1;

export function makeGroup(cluster: Cluster, view: GroupView, state: GroupState): Group {
  const policy = policyOf(cluster.policy, view.group);
  return { cluster, view, policy, state, standings: [], decisions: [], explanations: [], stuck: false };
}

/** After operations that have ended are off the list. */
export function takeStock(group: Group): void {
  const { state, view } = group;
  readVswitch(group);
  const busy = busyOnes(group);
  const started = state.pending.flatMap(({ decision }) => (decision.kind === "start" ? [decision] : []));
  const unseen = started.filter(({ runtime }) => !view.runtimes.some((one) => one.runtime === runtime));
  const runtimes: RuntimeView[] = [...view.runtimes, ...unseen.map(({ runtime, host }) => ({ runtime, host, phase: "starting" as const }))];
  const ids = new Set(runtimes.map(({ runtime }) => runtime));
  for (const id of Object.keys(state.runtimes)) if (!ids.has(id)) delete state.runtimes[id];
  group.standings = runtimes.map((runtime) => makeStanding(group, runtime, busy));
  // What was decided counts, whether or not a report shows it by now.
  for (const { decision } of state.pending) {
    const one = "runtime" in decision ? group.standings.find(({ id }) => id === decision.runtime) : undefined;
    if (one && decision.kind === "drain" && (one.is === "serving" || one.is === "unknown")) one.is = "draining";
    if (one && decision.kind === "undrain" && one.is === "draining") one.is = "starting";
  }
  addPressure(group);
  markOverflows(group);
}

function busyOnes({ cluster, view, state }: Group): Set<string> {
  const underWay = cluster.view.operations.filter(({ group }) => group === view.group).flatMap(({ runtimes }) => runtimes);
  return new Set([...underWay, ...state.pending.flatMap(({ decision }) => participants(decision))]);
}

function readVswitch(group: Group): void {
  const { cluster, view, policy, state } = group;
  const report = view.vswitch?.report;
  const { memory, refused } = readReport(state.vswitch, report, policy.smooth_ms, false);
  if (memory) state.vswitch = memory;
  if (refused) sayRefused(group, "vswitch", refused);
  else unsay(group, "report", "vswitch");
  // Of a vswitch that is silent it is not known whether packets are still lost.
  if (state.overflow && cluster.now - (state.vswitch?.arrivedMs ?? -Infinity) > policy.report_max_age_ms) state.overflow = { ...state.overflow, perSecond: 0 };
  if (report === undefined || report.takenUs === state.overflow?.takenUs) return;
  const packets = Number(view.vswitch?.dropped?.["runtime_full"] ?? 0n);
  const before = state.overflow;
  const us = report.takenUs - (before?.takenUs ?? report.takenUs);
  const perSecond = before && us > 0 && packets >= before.packets ? ((packets - before.packets) / us) * 1e6 : 0;
  if (Number.isFinite(packets) && cluster.now >= report.arrivedMs) state.overflow = { packets, takenUs: report.takenUs, perSecond };
}

function sayRefused(group: Group, subject: string, why: string): void {
  const instead = [{ option: "believing it", because: "a wrong load moves flows that were well where they are" }];
  withhold(group, { rule: "report", subject, seen: {}, why: `its report was refused: ${why}`, instead });
}

function makeStanding(group: Group, runtime: RuntimeView, busy: ReadonlySet<string>): Standing {
  const { cluster, policy, state } = group;
  const { now } = cluster;
  const memory = (state.runtimes[runtime.runtime] ??= { firstMs: now, moveAtMs: now, moves: 0, settleMs: now });
  const afresh = memory.report !== undefined && memory.report.arrivedMs <= memory.settleMs;
  const { memory: report, refused } = readReport(memory.report, runtime.unheard ? undefined : runtime.report, policy.smooth_ms, afresh);
  if (refused) sayRefused(group, runtime.runtime, refused);
  else if (report !== memory.report) unsay(group, "report", runtime.runtime);
  if (report) memory.report = report;
  const status = runtime.report?.status;
  const is = conditionOf(group, runtime, memory);
  return {
    id: runtime.runtime,
    host: runtime.host,
    view: runtime,
    memory,
    is,
    leaving: runtime.leaving === true || cluster.hosts.get(runtime.host)?.cordoned === true,
    // Until reports that were taken after the last operation have come, there is no load to judge by.
    load: is === "serving" && report !== undefined && report.arrivedMs > memory.settleMs ? report.load : undefined,
    pressure: 0,
    // In process mode each runtime has a thread of its own.
    lcore: `${runtime.host} ${status?.process ? runtime.runtime : (status?.lcore ?? runtime.runtime)}`,
    flows: status && Number.isFinite(status.flowsOpen) ? status.flowsOpen : 0,
    overflows: false,
    busy: busy.has(runtime.runtime),
  };
}

function conditionOf({ cluster: { now, hosts, cutOff }, policy }: Group, runtime: RuntimeView, memory: RuntimeMemory): Standing["is"] {
  const { host, phase, report, isUp = report?.status.process?.isUp } = runtime;
  const isLate = phase === "starting" && now - memory.firstMs > policy.start_within_ms;
  // A daemon that is dead or cut off loses its lease, and the runtimes on its machine go on.
  const isLost = hosts.get(host)?.leased !== true && runtime.isUp !== true;
  const isDown = phase === "gone" || isLate || isUp === false || isLost;
  if (!isDown) {
    if (memory.deadSinceMs !== undefined) delete memory.deadSinceMs;
    if (phase === "starting") return "starting";
    if (report?.status.draining === true) return "draining";
    const isRecent = runtime.unheard !== true && now - (memory.report?.arrivedMs ?? memory.firstMs) <= policy.report_max_age_ms;
    return isRecent ? "serving" : "unknown";
  }
  memory.deadSinceMs ??= now;
  return isLate || (now - memory.deadSinceMs >= policy.repair_after_ms && !cutOff) ? "dead" : "down";
}

/** Runtimes that share an lcore share its time: each is pressed by all of them. */
function addPressure({ standings, state, view: { vswitch } }: Group): void {
  const sums = new Map<string, number>();
  if (vswitch?.report && !vswitch.report.status.process) sums.set(`${vswitch.host} ${vswitch.report.status.lcore}`, state.vswitch?.load ?? 0);
  for (const { lcore, load = 0 } of standings) sums.set(lcore, (sums.get(lcore) ?? 0) + load);
  for (const one of standings) one.pressure = sums.get(one.lcore)!;
}

/** Whose queues lose packets, or soon will. Where only the sum is known: the fullest queues, then the most loaded runtime. */
function markOverflows({ standings, policy, state }: Group): void {
  for (const one of standings)
    one.overflows = one.load !== undefined && (one.view.report!.status.queued >= policy.queue_high || (one.memory.report?.fullPps ?? 0) >= OVERFLOW_PPS);
  if ((state.overflow?.perSecond ?? 0) < OVERFLOW_PPS || standings.some(({ overflows }) => overflows)) return;
  const hottest = hottestFirst(standings.filter(({ load }) => load !== undefined))[0];
  if (hottest && hottest.pressure >= policy.load_target) hottest.overflows = true;
}

/** By pressure; names decide between equals, so that the same view gives the same decisions. */
export const hottestFirst = (standings: readonly Standing[]): Standing[] =>
  [...standings].sort((a, b) => Number(b.overflows) - Number(a.overflows) || b.pressure - a.pressure || (a.id < b.id ? -1 : 1));

/** Those that carry the group: they serve, or are about to, and may stay. Who is silent, or may come back, still counts. */
export const lasting = ({ standings }: Group): Standing[] => standings.filter(({ is, leaving }) => !leaving && is !== "draining" && is !== "dead");

/** Those whose load is known and that may take part in something now. */
export const free = ({ standings }: Group): Standing[] => standings.filter(({ is, load, busy }) => is === "serving" && load !== undefined && !busy);

/**
 * Work in the group, in lcores: what is unknown counts as it was last seen, and as loaded as wanted when it never was. `losing`: as it is at this moment, not
 * averaged, and what is lost counts too.
 */
export function demandOf({ standings, policy, state }: Group, losing: boolean): number {
  let demand = 0;
  let received = 0;
  for (const { is, memory } of standings) {
    // The flows of one that is down are work of others by now.
    if (is === "dead" || is === "down" || is === "starting") continue;
    const { report, lastLoad } = memory;
    demand += (losing ? report?.rawLoad : report?.load) ?? lastLoad ?? (is === "unknown" ? policy.load_target : 0);
    received += report?.receivedPps ?? 0;
  }
  const lost = state.overflow?.perSecond ?? 0;
  return losing && received > 0 ? demand * (1 + Math.min(lost / received, 3)) : demand;
}
