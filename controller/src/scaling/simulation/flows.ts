/**
 * Flows of the model: each has a rate, an end and an owner. Arrays by number instead of objects: a run has a million of them.
 */
import type { Random } from "./random.ts";

/** What the model keeps of a runtime for its flows. */
export interface FlowHolder {
  /** Numbers of its flows, in no order. */
  flows: number[];
  /** Sum of their rates, before the group's intensity. */
  rate: number;
}

const ROOM = 1 << 16;

export class Flows {
  #rate = new Float64Array(ROOM);
  /** Place in its holder's list. */
  #place = new Int32Array(ROOM);
  readonly #holder: (FlowHolder | undefined)[] = [];
  readonly #free: number[] = [];
  /** By step: the flows that end in it. */
  readonly #ends = new Map<number, number[]>();
  #count = 0;

  get count(): number {
    return this.#count - this.#free.length;
  }

  rateOf(flow: number): number {
    return this.#rate[flow]!;
  }

  /** `end`: the step in which it ends. */
  open(holder: FlowHolder, rate: number, end: number): number {
    const flow = this.#free.pop() ?? this.#count++;
    if (flow >= this.#rate.length) this.#enlarge();
    this.#rate[flow] = rate;
    this.#put(flow, holder);
    const ending = this.#ends.get(end);
    if (ending) ending.push(flow);
    else this.#ends.set(end, [flow]);
    return flow;
  }

  endStep(step: number): void {
    for (const flow of this.#ends.get(step) ?? []) {
      this.#take(flow);
      this.#holder[flow] = undefined;
      this.#free.push(flow);
    }
    this.#ends.delete(step);
  }

  move(flow: number, to: FlowHolder): void {
    this.#take(flow);
    this.#put(flow, to);
  }

  isAt(flow: number, holder: FlowHolder): boolean {
    return this.#holder[flow] === holder;
  }

  /** Makes it heavier or lighter. */
  setRate(flow: number, rate: number): void {
    this.#holder[flow]!.rate += rate - this.#rate[flow]!;
    this.#rate[flow] = rate;
  }

  #take(flow: number): void {
    const holder = this.#holder[flow]!;
    const last = holder.flows.pop()!;
    const place = this.#place[flow]!;
    if (last !== flow) {
      holder.flows[place] = last;
      this.#place[last] = place;
    }
    // Sums of what comes and goes drift: an empty one is exactly nothing.
    holder.rate = holder.flows.length === 0 ? 0 : holder.rate - this.#rate[flow]!;
  }

  #put(flow: number, holder: FlowHolder): void {
    this.#holder[flow] = holder;
    this.#place[flow] = holder.flows.push(flow) - 1;
    holder.rate += this.#rate[flow]!;
  }

  #enlarge(): void {
    const rate = new Float64Array(this.#rate.length * 2);
    const place = new Int32Array(rate.length);
    rate.set(this.#rate);
    place.set(this.#place);
    this.#rate = rate;
    this.#place = place;
  }
}

/** Rates of flows around a mean: most are light, a few are ten times as heavy. */
const SPREAD = 1;
export const randomRate = (random: Random, mean: number): number => mean * Math.exp(SPREAD * random.normal() - SPREAD ** 2 / 2);
