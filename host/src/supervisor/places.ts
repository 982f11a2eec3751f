/** A member's place in a tenant, its present life, and what that process is known to know. */
import { type Command, type Found, type Life, VSWITCH } from "./membership_events.ts";

export interface Process {
  incarnation: number;
  isSpawned: boolean;
  isReady: boolean;
  /** What it has not answered yet. */
  asked: Command | undefined;
  /** It is to be turned away from, and must not come back. */
  isFenced: boolean;
  stopAsked: boolean;
  upSinceMs: number | undefined;
}
export interface VswitchLife extends Process {
  links: Map<number, { incarnation: number; isOpen: boolean; isUp: boolean }>;
  /** Incarnations that it gives flows to. */
  up: Map<number, number>;
  excluded: Map<number, boolean>;
  /** Lives that it waits for, since the vswitch before it had them. */
  awaits: Map<number, number>;
}
export interface RuntimeLife extends Process {
  /** Life of the vswitch that its link leads to. */
  vswitch: number;
  knows: Map<number, number>;
  /** Where it knows that its replicas are to be. */
  homes: number[];
  /** False: whom it knows it could not be asked yet. */
  isHeard: boolean;
}
export interface Place<L extends Process> {
  member: number;
  life: L | undefined;
  lastIncarnation: number;
  /** Processes that were started here. */
  lives: number;
  /** Deaths in short order. */
  failures: number;
  startAtMs: number;
  isDraining: boolean;
  isRemoved: boolean;
  /** Where its replicas are to be; empty: anywhere. */
  homes: number[];
}

export function newPlace<L extends Process>(member: number): Place<L> {
  return { member, life: undefined, lastIncarnation: 0, lives: 0, failures: 0, startAtMs: 0, isDraining: false, isRemoved: false, homes: [] };
}

/** The life has no link and gets no flows any more. */
export function forget(vswitch: VswitchLife, { member, incarnation }: Life): void {
  if (vswitch.links.get(member)?.incarnation === incarnation) vswitch.links.delete(member);
  if (vswitch.awaits.get(member) === incarnation) vswitch.awaits.delete(member);
  if (vswitch.up.get(member) !== incarnation) return;
  vswitch.up.delete(member);
  vswitch.excluded.delete(member);
}

const foundLife = ({ life }: Found, nowMs: number): Process => ({
  incarnation: life.incarnation,
  ...{ isSpawned: true, isReady: true, asked: undefined, isFenced: false, stopAsked: false, upSinceMs: nowMs },
});

export function vswitchOf(found: Found, nowMs: number): VswitchLife {
  const { knows = [] } = found;
  const linked = knows.filter(({ link }) => link !== "none");
  const up = knows.filter(({ isUp }) => isUp);
  return {
    ...foundLife(found, nowMs),
    links: new Map(linked.map(({ member, incarnation, link }) => [member, { incarnation, isOpen: true, isUp: link === "up" }])),
    up: new Map(up.map(({ member, incarnation }) => [member, incarnation])),
    // Whom it excludes it does not say, so everybody is told again.
    excluded: new Map(),
    awaits: new Map(knows.map(({ member, incarnation }) => [member, incarnation])),
  };
}

export function runtimeOf(found: Found, nowMs: number): RuntimeLife {
  const { knows = [], homes = [] } = found;
  const up = knows.filter(({ isUp }) => isUp);
  return {
    ...foundLife(found, nowMs),
    isHeard: found.knows !== undefined,
    homes,
    vswitch: knows.find(({ member }) => member === VSWITCH)?.incarnation ?? 0,
    knows: new Map(up.filter(({ member }) => member !== VSWITCH).map(({ member, incarnation }) => [member, incarnation])),
  };
}

export const areSame = (a: readonly number[], b: readonly number[]): boolean => a.length === b.length && a.every((one, i) => one === b[i]);
