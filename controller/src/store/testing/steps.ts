/**
 * Random steps on a store, the same ones for the same seed: what a property test lets two stores do, and what a process does that is killed.
 * Few keys, few values, so that comparisons hold as often as not.
 */
import { NfError } from "@nfactor/sdk/errors";
import type { Compare, Op, Store, Txn } from "../store.ts";
import type { ManualClock } from "@nfactor/host/manual_clock";
import { bytes, inShort } from "./stores.ts";

/** xorshift32. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) >>> 0 || 1;
  }

  below(n: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    this.#state >>>= 0;
    return this.#state % n;
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

export type Step =
  | { readonly do: "txn"; readonly txn: Txn }
  | { readonly do: "grant"; readonly ttlSeconds: number }
  | { readonly do: "keep_alive" | "revoke"; readonly lease: string }
  | { readonly do: "compact"; readonly revision: number }
  | { readonly do: "advance" | "skip"; readonly ms: number };

const KEYS = ["a", "a/b", "a/c", "a-d", "b/1", "b/2", "b/10", "c/x/y"];

export class Steps {
  readonly random: Random;
  /** Guesses, from what the steps so far may have done. */
  #revision: number;
  #leases: number;

  /** For a store that is at this revision, and has given this many leases. */
  constructor(seed: number, revision = 1, leases = 1) {
    this.random = new Random(seed);
    this.#revision = revision;
    this.#leases = leases;
  }

  /** `valueBytes` bounds values that are long now and then, so that they fill several pages of a file. */
  next(valueBytes = 3000): Step {
    const { random } = this;
    const kind = random.below(100);
    if (kind < 72) return { do: "txn", txn: this.#txn(valueBytes) };
    if (kind < 80) {
      this.#leases += 1;
      return { do: "grant", ttlSeconds: 1 + random.below(5) };
    }
    if (kind < 85) return { do: "keep_alive", lease: this.#lease() };
    if (kind < 88) return { do: "revoke", lease: this.#lease() };
    if (kind < 91) return { do: "compact", revision: Math.max(1, this.#revision - random.below(12)) };
    return { do: kind < 97 ? "advance" : "skip", ms: random.below(3000) };
  }

  /** The next one in which no time passes: it takes place as a whole or not at all. */
  nextAtOnce(valueBytes: number): Step {
    for (;;) {
      const step = this.next(valueBytes);
      if (step.do !== "advance" && step.do !== "skip") return step;
    }
  }

  #lease(): string {
    return String(Math.max(1, this.#leases - this.random.below(4)));
  }

  #txn(valueBytes: number): Txn {
    this.#revision += 1;
    const { random } = this;
    const compares = Array.from({ length: random.below(3) }, () => this.#compare());
    const ops = () => {
      const keys = KEYS.filter(() => random.below(3) === 0);
      return keys.map((key): Op => {
        const kind = random.below(10);
        if (kind < 1) return { op: "get", key };
        if (kind < 4) return { op: "delete", key };
        return { op: "put", key, value: this.#value(valueBytes), ...(random.below(5) === 0 ? { lease: this.#lease() } : {}) };
      });
    };
    return { if: compares, then: ops(), else: ops() };
  }

  #value(most: number): Uint8Array {
    const { random } = this;
    if (random.below(12) > 0) return bytes(String(random.below(3)));
    return new Uint8Array(random.below(most)).fill(random.below(256));
  }

  #compare(): Compare {
    const { random } = this;
    const key = random.of(KEYS);
    if (random.below(3) === 0) return { key, field: "value", is: random.of(["=", "!="]), to: bytes(String(random.below(3))) };
    const field = random.of(["create", "mod", "version"] as const);
    const to = random.below(2) === 0 ? 0 : field === "version" ? random.below(4) : Math.max(0, this.#revision - random.below(20));
    return { key, field, is: random.of(["=", "!=", "<", ">"] as const), to };
  }
}

/** Takes a step, and says in short what came of it; refusals by their code. */
export async function take(step: Step, store: Store, clock: ManualClock): Promise<string> {
  try {
    switch (step.do) {
      case "txn": {
        const { succeeded, revision, results } = await store.txn(step.txn);
        return `${succeeded} ${revision} ${results.map(inShort).join("; ")}`;
      }
      case "grant":
        return (await store.grantLease(step.ttlSeconds)).lease;
      case "keep_alive":
        return String((await store.keepAlive(step.lease)).ttlSeconds);
      case "revoke":
        return String(await store.revokeLease(step.lease));
      case "compact":
        return String(await store.compact(step.revision));
      case "advance":
        return String(clock.advance(step.ms));
      case "skip":
        return String(clock.skip(step.ms));
    }
  } catch (error) {
    if (error instanceof NfError) return error.code;
    throw error;
  }
}
