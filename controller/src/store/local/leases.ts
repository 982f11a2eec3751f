/**
 * The leases of a LocalStore: when each ends, and which keys go with it. What is kept of a lease is its time, not its end: after a restart all of them have
 * their whole time again, so that those who hold them, and could not reach the store, are not taken for gone.
 */
import { NfError } from "@nfactor/sdk/errors";
import type { Clock } from "@nfactor/host/clock";
import { shown } from "../names.ts";
import type { LeaseId } from "../store.ts";
import type { KeptLease } from "./backend.ts";

interface Held {
  readonly ttlMs: number;
  readonly keys: Set<string>;
  endsAtMs: number;
}

export class Leases {
  readonly #clock: Clock;
  readonly #onDue: () => void;
  readonly #held = new Map<LeaseId, Held>();
  #timer: { readonly atMs: number; readonly cancel: () => void } | undefined;

  /** `onDue` is called when the time of a lease may be over: whoever is called takes what due() gives. */
  constructor(clock: Clock, kept: readonly KeptLease[], onDue: () => void) {
    this.#clock = clock;
    this.#onDue = onDue;
    for (const { lease, ttlSeconds, keys } of kept) {
      this.add(lease, ttlSeconds);
      for (const key of keys) this.bind(key, lease);
    }
  }

  get count(): number {
    return this.#held.size;
  }

  add(lease: LeaseId, ttlSeconds: number): void {
    const ttlMs = ttlSeconds * 1000;
    const endsAtMs = this.#clock.nowMs() + ttlMs;
    this.#held.set(lease, { ttlMs, keys: new Set(), endsAtMs });
    this.#wakeAt(endsAtMs);
  }

  /** Seconds from now. Throws NfError (store.lease). */
  renew(lease: LeaseId): number {
    const held = this.#require(lease);
    held.endsAtMs = this.#clock.nowMs() + held.ttlMs;
    return held.ttlMs / 1000;
  }

  /** In order. Throws NfError (store.lease). */
  keysOf(lease: LeaseId): readonly string[] {
    return [...this.#require(lease).keys].sort();
  }

  require(lease: LeaseId): void {
    this.#require(lease);
  }

  bind(key: string, lease: LeaseId): void {
    this.#held.get(lease)?.keys.add(key);
  }

  unbind(key: string, lease: LeaseId): void {
    this.#held.get(lease)?.keys.delete(key);
  }

  remove(lease: LeaseId): void {
    this.#held.delete(lease);
  }

  /** One whose time is over: the one that ended first. */
  due(): LeaseId | undefined {
    const now = this.#clock.nowMs();
    if (this.#timer && now < this.#timer.atMs) return undefined;
    let first: readonly [LeaseId, Held] | undefined;
    for (const pair of this.#held) if (!first || pair[1].endsAtMs < first[1].endsAtMs) first = pair;
    if (!first) return undefined;
    if (first[1].endsAtMs <= now) return first[0];
    this.#wakeAt(first[1].endsAtMs);
    return undefined;
  }

  /** An end could not be written. */
  tryAgainIn(ms: number): void {
    this.#wakeAt(this.#clock.nowMs() + ms);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#held.clear();
  }

  #require(lease: LeaseId): Held {
    const held = this.#held.get(lease);
    if (held) return held;
    throw new NfError("store.lease", `there is no lease ${shown(String(lease))}: its time ran out, or it was ended`, {
      given: String(lease),
      fix: "Take another lease, and write what was bound to this one again.",
    });
  }

  /** Never later than the first end; it may be earlier, since keeping a lease alive leaves the timer as it is. */
  #wakeAt(atMs: number): void {
    const now = this.#clock.nowMs();
    if (this.#timer && this.#timer.atMs > now && this.#timer.atMs <= atMs) return;
    this.#timer?.cancel();
    const cancel = this.#clock.after(Math.max(0, Math.ceil(atMs - now)), () => {
      // It may come a little early: due() looks for itself, and sets the next one.
      this.#timer = undefined;
      this.#onDue();
    });
    this.#timer = { atMs, cancel };
  }
}
