/**
 * Flows by what their packets show, in both directions, and what is due: docs/packet_path.md, section 4.
 *
 * Looking for what is due walks over all flows, but only when the earliest deadline known has come; deadlines that have moved on since are then
 * seen as they are.
 */
import { Flow, type IdleMs, flowSeed, tickOf } from "./flow.ts";
import { LeasePool } from "./lease_pool.ts";
import { type Tuple, reversed, tupleKey } from "./tuple.ts";

export interface FlowHit {
  flow: Flow;
  direction: 0 | 1;
}

export interface FlowTableOptions {
  max: number;
  idleMs: IdleMs;
  seed: bigint;
  /** Size of each NF's lease pool, 0 for those without. */
  leaseSizes: readonly number[];
}

export class FlowTable {
  readonly #options: FlowTableOptions;
  readonly #pools: LeasePool[];
  readonly #hits = new Map<string, FlowHit>();
  /** Keys that a flow has besides its own. */
  readonly #aliases = new Map<Flow, string[]>();
  readonly #flows = new Set<Flow>();
  readonly #freed: number[] = [];
  #used = 0;
  #opened = 0n;
  #nextExpiry = 0n;
  #nextTimer: bigint | undefined;

  constructor(options: FlowTableOptions) {
    this.#options = options;
    this.#pools = options.leaseSizes.map((size) => new LeasePool(size));
  }

  /** Flows that have a record, in order of their number. */
  get flows(): Iterable<Flow> {
    return this.#flows;
  }
  get size(): number {
    return this.#flows.size;
  }
  get opened(): bigint {
    return this.#opened;
  }

  find(tuple: Tuple): FlowHit | undefined {
    return this.#hits.get(tupleKey(tuple));
  }

  /** Undefined when there is no free actor. */
  open(tuple: Tuple, side: 0 | 1, nowNs: bigint): Flow | undefined {
    const { max, seed } = this.#options;
    const index = this.#freed.pop() ?? (this.#used < max ? this.#used++ : undefined);
    if (index === undefined) return undefined;
    const number = ++this.#opened;
    const leases = this.#pools.map((pool) => pool.take(nowNs));
    const flow = new Flow(number, index, tuple, side, nowNs, flowSeed(seed, number), leases);
    this.#flows.add(flow);
    this.#enter(flow, reversed(tuple), 1);
    this.#enter(flow, tuple, 0);
    this.#nextExpiry = min(this.#nextExpiry, this.#deadline(flow));
    return flow;
  }

  /** Lets the responder's side be known by `tuple` too; false when another flow has that key. */
  addAlias(flow: Flow, tuple: Tuple): boolean {
    const known = this.find(tuple);
    if (known) return known.flow === flow;
    const back = reversed(tuple);
    this.#aliases.set(flow, [tupleKey(tuple), tupleKey(back)]);
    this.#enter(flow, tuple, 1);
    this.#enter(flow, back, 0);
    return true;
  }

  freeLeases(flow: Flow, nowNs: bigint): void {
    flow.leases.forEach((lease, i) => this.#pools[i]!.give(lease, nowNs));
    flow.leases.fill(0);
  }

  /** Forgets keys and aliases, and frees the actor. */
  remove(flow: Flow): void {
    for (const key of [flow.key, tupleKey(reversed(flow.tuple)), ...(this.#aliases.get(flow) ?? [])]) this.#hits.delete(key);
    this.#aliases.delete(flow);
    this.#flows.delete(flow);
    this.#freed.push(flow.index);
  }

  /** A deadline may have come nearer. */
  touch(flow: Flow): void {
    this.#nextExpiry = min(this.#nextExpiry, this.#deadline(flow));
  }

  armTimer(flow: Flow, nf: number, dueNs: bigint | undefined): void {
    flow.timers[nf] = dueNs;
    if (dueNs !== undefined) this.#nextTimer = this.#nextTimer === undefined ? dueNs : min(this.#nextTimer, dueNs);
  }

  /** Flows that are due, in order of (deadline tick, number). */
  due(nowNs: bigint): Flow[] {
    const now = tickOf(nowNs);
    if (now <= tickOf(this.#nextExpiry)) return [];
    const found: { flow: Flow; tick: bigint }[] = [];
    let next: bigint | undefined;
    for (const flow of this.#flows) {
      const deadline = this.#deadline(flow);
      if (now > tickOf(deadline)) found.push({ flow, tick: tickOf(deadline) });
      else next = next === undefined ? deadline : min(next, deadline);
    }
    // Without flows nothing is due before one that opens now.
    this.#nextExpiry = next ?? nowNs + (1n << 62n);
    return found.sort((a, b) => order(a.tick, b.tick) || order(a.flow.number, b.flow.number)).map(({ flow }) => flow);
  }

  /** Timers that are due, in order of (deadline tick, number of the flow, place in the chain). */
  dueTimers(nowNs: bigint): { flow: Flow; nf: number }[] {
    const now = tickOf(nowNs);
    if (this.#nextTimer === undefined || now <= tickOf(this.#nextTimer)) return [];
    const found: { flow: Flow; nf: number; tick: bigint }[] = [];
    this.#nextTimer = undefined;
    for (const flow of this.#flows) {
      flow.timers.forEach((dueNs, nf) => {
        if (dueNs === undefined) return;
        if (now > tickOf(dueNs)) found.push({ flow, nf, tick: tickOf(dueNs) });
        else this.#nextTimer = this.#nextTimer === undefined ? dueNs : min(this.#nextTimer, dueNs);
      });
    }
    return found.sort((a, b) => order(a.tick, b.tick) || order(a.flow.number, b.flow.number) || a.nf - b.nf);
  }

  #deadline(flow: Flow): bigint {
    return flow.deadline(this.#options.idleMs);
  }

  /** Where both directions show the same, the one entered last counts. */
  #enter(flow: Flow, tuple: Tuple, direction: 0 | 1): void {
    this.#hits.set(tupleKey(tuple), { flow, direction });
  }
}

const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const order = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);
