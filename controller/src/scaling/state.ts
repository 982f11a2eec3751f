/**
 * What scaling remembers between two decisions. Plain JSON: it lies in the store, and whoever starts without it decides a little later, not wrongly.
 */
import type { Decision, Rule } from "./decision.ts";

/** Of one runtime, or of a vswitch. */
export interface LoadMemory {
  takenUs: number;
  /** When `busyNs` was told, if that was not then. */
  busyAtUs?: number;
  arrivedMs: number;
  busyNs: number;
  received: number;
  restarts: number;
  /** Where it has a process of its own: a deployment that is replaced has others, which have not been started again either. */
  pid?: number;
  /** Averaged part of the time with work in it; absent until two reports that belong together have come. */
  load?: number;
  /** The same between the last two reports. */
  rawLoad?: number;
  receivedPps?: number;
  /** Packets that its full queue has cost, and their growth likewise. */
  full?: number;
  fullPps?: number;
}

export interface RuntimeMemory {
  report?: LoadMemory;
  /** The load before the last operation, until there is another one. */
  lastLoad?: number;
  firstMs: number;
  deadSinceMs?: number;
  /** No moves before. */
  moveAtMs: number;
  /** Moves since it was last cool: each makes the next one wait longer. */
  moves: number;
  /** What was taken before says nothing about now: flows have come or gone. */
  settleMs: number;
}

/** Decided, and not yet known to have ended. */
export interface Pending {
  decision: Decision;
  /** When it was last given out. */
  atMs: number;
  firstMs: number;
}

export interface GroupState {
  /** Of the next key. */
  next: number;
  /** Runtimes that are wanted; absent until the group is seen first. */
  size?: number;
  runtimes: Record<string, RuntimeMemory>;
  vswitch?: LoadMemory;
  /** `dropped.runtime_full` of the vswitch's last report, and its growth between the last two, packets a second. */
  overflow?: { packets: number; takenUs: number; perSecond: number };
  pending: Pending[];
  hotSinceMs?: number;
  lowSinceMs?: number;
  grewMs?: number;
  /** The last runtime that was started to have hosts balanced: where, and how many there were. */
  spread?: { host: string; there: number; atMs: number };
  shrankMs?: number;
  /** What was last said about something not done, by subject (the group itself: none) and rule: it is said again only when it changes. */
  said: Record<string, Partial<Record<Rule, string>>>;
}

export interface ScalingState {
  groups: Record<string, GroupState>;
}

export const initialState = (): ScalingState => ({ groups: {} });

export const newGroup = (): GroupState => ({ next: 1, runtimes: {}, pending: [], said: {} });

/** As deep as decide() changes it: what was read of reports, and decisions, are never changed. */
export function copyState({ groups }: ScalingState): ScalingState {
  const copyGroup = (group: GroupState): GroupState => ({
    ...group,
    runtimes: Object.fromEntries(Object.entries(group.runtimes).map(([id, memory]) => [id, { ...memory }])),
    pending: [...group.pending],
    said: Object.fromEntries(Object.entries(group.said).map(([subject, rules]) => [subject, { ...rules }])),
  });
  return { groups: Object.fromEntries(Object.entries(groups).map(([name, group]) => [name, copyGroup(group)])) };
}

/** The latest of its times that was no future when it was written. */
export function latestOf({ runtimes, vswitch, pending, spread, hotSinceMs, lowSinceMs, grewMs, shrankMs }: GroupState): number {
  const ofRuntimes = Object.values(runtimes).flatMap(({ report, firstMs, settleMs, deadSinceMs }) => [report?.arrivedMs, firstMs, settleMs, deadSinceMs]);
  const times = [...ofRuntimes, vswitch?.arrivedMs, ...pending.map(({ atMs }) => atMs), spread?.atMs, hotSinceMs, lowSinceMs, grewMs, shrankMs];
  return times.reduce<number>((latest, time) => Math.max(latest, time ?? 0), 0);
}
