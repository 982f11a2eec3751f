/**
 * What a scaling decision is made from: hosts, groups and runtimes as the controller knows them at one moment, and the last report of each runtime.
 *
 * A group is what scales: the runtimes of one chain of one tenant, behind one vswitch. Reports are what a host's dataplane says of itself
 * (RuntimeStatus, CountersSnapshot), with the time at which they were taken and came. Nothing here is trusted to be recent, complete or sensible.
 */
import type { CountersSnapshot, RuntimeStatus } from "@nfactor/host";

/** What scaling reads of a runtime's status. Counters are since the start of its process. */
export type ReportedStatus = Pick<RuntimeStatus, "lcore" | "draining" | "flowsOpen" | "received" | "busyNs" | "queued" | "unprotected" | "process"> & {
  /** Packets that its full queue has cost; the vswitch counts them. Absent where hosts do not say whose queue it was. */
  runtimeFull?: bigint | undefined;
};

export interface Report {
  /** Of the host's monotonic clock, µs: rates are taken over it, so a report that was long on its way is no lower load. */
  takenUs: number;
  /** Of the controller's clock, ms. */
  arrivedMs: number;
  status: ReportedStatus;
}

export interface HostView {
  host: string;
  /** Runtimes that it can run at once, of all tenants. */
  room: number;
  /** False once its lease has run out: what was on it is then taken for dead. */
  leased: boolean;
  /** The operator wants it empty: nothing new comes to it, and what is there leaves. */
  cordoned: boolean;
  /** False: nobody hears of it just now. Nothing is started there then, since its lease outlasts its death. */
  connected?: boolean | undefined;
}

export interface HeavyFlow {
  flowId: string;
  /** Part of its runtime's packets, 0 to 1. */
  share: number;
}

export interface RuntimeView {
  /** Unique in its group for all times; a start decision makes the name. */
  runtime: string;
  host: string;
  /** `starting`: asked for, and has not answered yet. `gone`: its host is there and does not have it any more. */
  phase: "starting" | "serving" | "gone";
  report?: Report | undefined;
  /** What the group's vswitch says of it: that it works, or that it does not. Packets experience this, so it is believed before what is known of its host. */
  isUp?: boolean | undefined;
  /** It cannot be asked: the report is what was heard of it last, and counters that stand still are no idleness. */
  unheard?: boolean | undefined;
  /** The group is not to be on its host any more. */
  leaving?: boolean | undefined;
  /** Runtimes named as homes of its flows' replicas; absent without replication. */
  homes?: readonly string[] | undefined;
  /** Somebody has drained it by hand: it stays so until that is taken back. */
  held?: boolean | undefined;
  /** The flows with the most packets, the heaviest first, when somebody has asked for them. */
  heavyFlows?: readonly HeavyFlow[] | undefined;
}

export interface GroupView {
  group: string;
  tenant: string;
  runtimes: readonly RuntimeView[];
  /** Where its runtimes may be; on all hosts when it is left out. */
  hosts?: readonly string[] | undefined;
  vswitch?: { host: string; report?: Report | undefined; dropped?: CountersSnapshot["dropped"] | undefined } | undefined;
}

/** An operation that is going on. */
export interface OperationView {
  key: string;
  /** All that take part in it. */
  runtimes: readonly string[];
  group: string;
}

/** How an operation ended. It may be told more than once. */
export interface Outcome {
  key: string;
  group: string;
  ok: boolean;
  /** Why not, when it failed. */
  reason?: string | undefined;
}

export interface ClusterView {
  hosts: readonly HostView[];
  groups: readonly GroupView[];
  operations: readonly OperationView[];
  outcomes: readonly Outcome[];
}
