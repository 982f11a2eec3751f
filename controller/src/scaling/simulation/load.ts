/** What comes to a group in the course of time, and what happens to the cluster. */
import type { Model } from "./model.ts";
import type { HeavyTail } from "./random.ts";

/** Amounts are in runtimes: 1 is what one runtime can do with all of its time. Times are seconds since the start. */
export interface Load {
  /** All flows together at the start. */
  base: number;
  /** Flows at the start. */
  flows: number;
  durations: HeavyTail;
  /** By how much all flows are heavier than at the start. */
  intensity: (t: number) => number;
  /** By how much more flows are opened than are needed to keep their number. */
  arrivals: (t: number) => number;
}

export interface SimEvent {
  atS: number;
  /** A failure, and no part of the load. */
  harms?: boolean;
  happens: (model: Model) => void;
}

export interface Scenario {
  name: string;
  seconds: number;
  hosts: number;
  /** Runtimes for which each host has room. */
  room: number;
  /** One for each group; each group is a tenant's. */
  loads: readonly Load[];
  replicas: 0 | 1;
  events: readonly SimEvent[];
  reports: { lagMs: number; lossShare: number };
  /** Part of the starts that fail. */
  failingStarts: number;
}

export const steady = (): number => 1;

/** From `low` to 1 and back once in `period`. */
export const wave =
  (low: number, period: number, phase = 0): ((t: number) => number) =>
  (t) =>
    low + ((1 - low) * (1 - Math.cos(2 * Math.PI * (t / period + phase)))) / 2;

/** `height` between two moments, 1 otherwise. */
export const plateau =
  (from: number, to: number, height: number): ((t: number) => number) =>
  (t) =>
    t >= from && t < to ? height : 1;

export interface RecordedLoad {
  recorded: string;
  start_ms: number;
  restart_ms: number;
  columns: readonly string[];
  points: readonly (readonly number[])[];
}

/** The shape of what was recorded, with its mean as 1, again and again from `offset` seconds on. */
export function replay({ points, columns }: RecordedLoad, offset: number): (t: number) => number {
  const [at, pps] = [columns.indexOf("at_ms"), columns.indexOf("received_pps")];
  const mean = points.reduce((sum, point) => sum + point[pps]!, 0) / points.length;
  const length = points.at(-1)![at]! / 1000;
  return (t) => {
    const ms = ((t + offset) % length) * 1000;
    let low = 0;
    let high = points.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (points[middle]![at]! < ms) low = middle + 1;
      else high = middle;
    }
    return points[low]![pps]! / mean;
  };
}
