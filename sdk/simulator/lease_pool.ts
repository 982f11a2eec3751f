/** Values that are unique among living flows: a queue of indexes; one that comes back rests for a while. */
import { LIMITS } from "../abi/gen/abi.ts";
import { NS_PER_MS } from "./flow.ts";

export class LeasePool {
  readonly #size: number;
  /** Indexes that were never given out start here; they stand before those that came back. */
  #fresh = 0;
  readonly #returned: { index: number; freedNs: bigint }[] = [];
  #head = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** 1 + index, or 0 when there is none. */
  take(nowNs: bigint): number {
    if (this.#fresh < this.#size) return ++this.#fresh;
    const next = this.#returned[this.#head];
    if (!next || nowNs - next.freedNs < BigInt(LIMITS.lease_quarantine_ms) * NS_PER_MS) return 0;
    this.#head += 1;
    return next.index + 1;
  }

  give(lease: number, nowNs: bigint): void {
    if (lease !== 0) this.#returned.push({ index: lease - 1, freedNs: nowNs });
  }
}
