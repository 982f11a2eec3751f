/**
 * One deployment as scaling sees it. Scaling has names for runtimes, unique for all times; a host has numbers, which come again. What belongs together is kept
 * in the store, and a runtime that scaling has not started gets a name when it is seen first.
 */
import type { RuntimesReport } from "@nfactor/host/cluster";
import type { GroupView, Report, RuntimeView } from "../scaling/index.ts";
import type { GroupState } from "../scaling/state.ts";
import type { Scaling } from "./kinds.ts";
import type { Load } from "./observed.ts";

/**
 * From hosts that say so: `peer`, the host that it is at, by name; `targets`, numbers of those that keep its replicas; `runtime_full`, packets that its full
 * queue has cost, of the vswitch all of them.
 */
type RuntimeJson = RuntimesReport["runtimes"][number] & {
  readonly peer?: string | undefined;
  readonly targets?: readonly number[] | undefined;
  readonly runtime_full?: number | undefined;
};

/** As it is in the store, to be changed. */
export interface GroupMemory {
  nonce: string;
  numbers: Record<string, number>;
  next: number;
  drained: string[];
  homes: Record<string, string[]>;
  starts: number;
  state: GroupState | undefined;
}

export function memoryOf(stored: Scaling): GroupMemory {
  const { state, ...rest } = structuredClone(stored);
  return { ...rest, state: state as GroupState | undefined };
}

export function storedOf(memory: GroupMemory): Scaling {
  const { state, ...rest } = memory;
  return { ...rest, ...(state === undefined ? {} : { state: JSON.parse(JSON.stringify(state)) as NonNullable<Scaling["state"]> }) };
}

export const newMemory = (nonce: string): GroupMemory => ({ nonce, numbers: {}, next: 1, drained: [], homes: {}, starts: 0, state: undefined });

export const numberOf = ({ numbers }: GroupMemory, name: string): number | undefined => numbers[name];
export const nameOf = ({ numbers }: GroupMemory, number: number): string | undefined => Object.keys(numbers).find((name) => numbers[name] === number);

/** A runtime has this number now; whoever had it before is no more. */
export function bind(memory: GroupMemory, name: string, number: number): void {
  const before = nameOf(memory, number);
  if (before !== undefined && before !== name) forget(memory, before);
  memory.numbers[name] = number;
}

export function forget(memory: GroupMemory, name: string): void {
  delete memory.numbers[name];
  delete memory.homes[name];
  memory.drained = memory.drained.filter((one) => one !== name);
}

/** Names for those that have none, and are to get one. */
export function adopt(memory: GroupMemory, report: RuntimesReport, isToGet: (number: number) => boolean): void {
  const known = new Set(Object.values(memory.numbers));
  for (const { runtime } of report.runtimes) if (runtime > 0 && !known.has(runtime) && isToGet(runtime)) memory.numbers[`n${memory.next++}`] = runtime;
}

export interface GroupPlace {
  /** The deployment's own host. */
  readonly host: string;
  /** By the address of its agent. */
  readonly hostOfAgent: (address: string) => string | undefined;
  /** Of the deployment, whether its agent is known or not. */
  readonly isPlace: (host: string) => boolean;
  /** Of one that was started and is in no report yet: where. */
  readonly freshAt: (name: string) => string | undefined;
}

const isDraining = ({ state }: RuntimeJson): boolean => state === "draining" || state === "drained";

export function runtimesOf(memory: GroupMemory, { report, arrivedMs }: Load, place: GroupPlace): RuntimeView[] {
  const found = new Map(report.runtimes.map((one) => [one.runtime, one]));
  return Object.entries(memory.numbers).map(([runtime, number]): RuntimeView => {
    const one: RuntimeJson | undefined = found.get(number);
    const homes = one?.targets?.flatMap((target) => nameOf(memory, target) ?? []) ?? memory.homes[runtime];
    const freshAt = place.freshAt(runtime);
    if (!one) return { runtime, host: freshAt ?? place.host, phase: freshAt === undefined ? "gone" : "starting" };
    const host = one.peer ?? (one.agent === undefined ? undefined : place.hostOfAgent(one.agent)) ?? place.host;
    return {
      ...{ runtime, phase: "serving", host, isUp: one.state !== "down", ...(place.isPlace(host) ? {} : { leaving: true }) },
      ...(one.unreachable === true ? { unheard: true } : {}),
      report: reportOf(one, report.at_us, arrivedMs),
      ...(homes === undefined ? {} : { homes }),
      ...(isDraining(one) && !isDrainedByScaling(memory, runtime) ? { held: true } : {}),
    };
  });
}

export function vswitchOf({ report, arrivedMs }: Load, host: string): NonNullable<GroupView["vswitch"]> {
  const vswitch: RuntimeJson | undefined = report.runtimes.find(({ runtime }) => runtime === 0);
  if (!vswitch) return { host };
  const { runtime_full: full } = vswitch;
  return { host, report: reportOf(vswitch, report.at_us, arrivedMs), ...(full === undefined ? {} : { dropped: { runtime_full: BigInt(full) } }) };
}

/** Runtimes that take new flows. */
export const serving = ({ runtimes }: RuntimesReport): number => runtimes.filter((one) => one.runtime > 0 && one.state === "running").length;

function isDrainedByScaling({ drained, state }: GroupMemory, name: string): boolean {
  return drained.includes(name) || (state?.pending.some(({ decision }) => decision.kind === "drain" && decision.runtime === name) ?? false);
}

function reportOf(one: RuntimeJson, takenUs: number, arrivedMs: number): Report {
  return {
    ...{ takenUs, arrivedMs },
    status: {
      ...{ lcore: one.lcore, draining: isDraining(one), flowsOpen: one.flows, received: BigInt(one.received), busyNs: BigInt(one.busy_us) * 1000n },
      ...{ queued: one.queued, unprotected: one.unprotected },
      ...(one.runtime_full === undefined ? {} : { runtimeFull: BigInt(one.runtime_full) }),
      // A deployment's runtimes are processes always.
      process: { pid: one.pid, restarts: one.restarts ?? 0, isUp: one.state !== "down", busyAtUs: one.busy_at_us },
    },
  };
}
