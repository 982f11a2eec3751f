/**
 * What was done under which idempotency key, so that a request which is asked for again, since its answer got lost, is not done again.
 *
 * The first request under a key begins the work; later ones with the same body wait for it, or get its outcome. The work does not depend on a connection: it
 * goes on when its caller is gone, until the latest deadline of those who have asked for it. Another body under the key is refused. Bounded by entries for each
 * peer, bytes and time; when there is no room, a request is refused before anything is done, since forgetting an outcome early would break the promise.
 *
 * Work that ended because it was aborted, or with `rpc.busy`, has no outcome: who asks again begins it again. So handlers either finish, or leave what can be
 * begun again.
 */
import { createHash } from "node:crypto";
import { NfError } from "@nfactor/sdk/errors";
import type { Clock } from "../clock/clock.ts";
import { FRAME, KEY_LENGTH_MAX } from "./messages.ts";
import { frameOf } from "../rpc/frame.ts";

export interface OutcomeLimits {
  /** So long an outcome is remembered after its work has ended. */
  readonly keepMs: number;
  readonly entriesPerPeer: number;
  /** Of results, all peers together. */
  readonly bytes: number;
}
export const OUTCOMES: OutcomeLimits = { keepMs: 600_000, entriesPerPeer: 4096, bytes: 64 << 20 };

/** Of an outcome without its result: what the table itself takes. */
const ENTRY_BYTES = 512;

interface Work {
  readonly digest: string;
  readonly outcome: Promise<unknown>;
  readonly abort: AbortController;
  endsMs: number;
  cancelEnd: () => void;
  waiting: number;
  isDone: boolean;
  bytes: number;
  forget: () => void;
}

export interface KeyedRequest {
  readonly peer: string;
  readonly key: string;
  readonly method: string;
  readonly params: unknown;
  readonly deadlineMs: number;
}

export interface Share {
  readonly outcome: Promise<unknown>;
  /** The caller calls it off: work that nobody else waits for is aborted. */
  cancel(): void;
  /** The caller is gone: the work goes on. */
  leave(): void;
}

export class Outcomes {
  readonly #clock: Clock;
  readonly #limits: OutcomeLimits;
  readonly #peers = new Map<string, Map<string, Work>>();
  #bytes = 0;

  constructor(clock: Clock, limits: OutcomeLimits = OUTCOMES) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Entries there are, finished or not. */
  get size(): number {
    let size = 0;
    for (const works of this.#peers.values()) size += works.size;
    return size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Throws NfError (rpc.idempotency, rpc.busy). */
  share(request: KeyedRequest, begin: (signal: AbortSignal) => Promise<unknown>): Share {
    const { peer, key, deadlineMs } = request;
    const digest = digestOf(request);
    const works = this.#peers.get(peer) ?? new Map<string, Work>();
    let work = works.get(key);
    if (work && work.digest !== digest)
      throw new NfError("rpc.idempotency", `the idempotency key '${key}' was used for another request`, {
        given: request.method,
        allowed: "the same method with the same parameters",
        fix: "Use a key of its own for each request.",
      });
    if (!work) {
      this.#requireRoom(works);
      this.#peers.set(peer, works);
      work = this.#begin(peer, works, key, digest, deadlineMs, begin);
    } else if (!work.isDone) this.#prolong(work, deadlineMs);
    return this.#shareOf(work);
  }

  #requireRoom(works: ReadonlyMap<string, Work>): void {
    const { entriesPerPeer, bytes, keepMs } = this.#limits;
    const full =
      works.size >= entriesPerPeer
        ? `${works.size} requests with a key within ${keepMs / 1000} s (allowed: ${entriesPerPeer})`
        : this.#bytes >= bytes
          ? `${this.#bytes} bytes of outcomes are remembered (allowed: ${bytes})`
          : undefined;
    if (full === undefined) return;
    throw new NfError("rpc.busy", `no room to remember another outcome: ${full}`, { fix: "Try again later." });
  }

  #begin(peer: string, works: Map<string, Work>, key: string, digest: string, deadlineMs: number, begin: (signal: AbortSignal) => Promise<unknown>): Work {
    const abort = new AbortController();
    let settle = (): void => undefined;
    const outcome = new Promise<unknown>((done, fail) => {
      settle = () => {
        // After the entry is there: a handler may be so quick that it ends before this returns.
        const result = begin(abort.signal);
        result.then(
          (value) => this.#done(work, sizeOf(value)),
          (error: unknown) => (isUndone(error, abort.signal) ? work.forget() : this.#done(work, 0)),
        );
        result.then(done, fail);
      };
    });
    outcome.catch(() => undefined);
    const work: Work = {
      ...{ digest, outcome, abort, endsMs: 0, waiting: 0, isDone: false, bytes: ENTRY_BYTES + 2 * KEY_LENGTH_MAX, cancelEnd: () => undefined },
      forget: () => {
        work.cancelEnd();
        if (works.get(key) !== work) return;
        works.delete(key);
        if (works.size === 0) this.#peers.delete(peer);
        this.#bytes -= work.bytes;
      },
    };
    works.set(key, work);
    this.#bytes += work.bytes;
    this.#prolong(work, deadlineMs);
    settle();
    return work;
  }

  #prolong(work: Work, deadlineMs: number): void {
    const endsMs = this.#clock.nowMs() + deadlineMs;
    if (endsMs <= work.endsMs) return;
    work.endsMs = endsMs;
    work.cancelEnd();
    work.cancelEnd = this.#clock.after(deadlineMs, () => work.abort.abort(pastDeadline()));
  }

  #done(work: Work, resultBytes: number): void {
    work.isDone = true;
    work.bytes += resultBytes;
    this.#bytes += resultBytes;
    work.cancelEnd();
    work.cancelEnd = this.#clock.after(this.#limits.keepMs, work.forget);
  }

  #shareOf(work: Work): Share {
    work.waiting += 1;
    let isIn = true;
    const leave = (): void => {
      if (isIn) work.waiting -= 1;
      isIn = false;
    };
    const cancel = (): void => {
      leave();
      if (work.waiting === 0 && !work.isDone) work.abort.abort(calledOff());
    };
    return { outcome: work.outcome, cancel, leave };
  }
}

export const pastDeadline = (): NfError => new NfError("rpc.deadline", "the request was not done within its time", { fix: "Ask again, with more time." });
export const calledOff = (): NfError => new NfError("rpc.cancelled", "the request was called off");

/** The handler gave up because it was told to, or had no room to begin. */
function isUndone(error: unknown, signal: AbortSignal): boolean {
  if (error instanceof NfError && error.code === "rpc.busy") return true;
  return signal.aborted && (error === signal.reason || (error instanceof NfError && error.code === (signal.reason as NfError).code));
}

function sizeOf(value: unknown): number {
  try {
    return frameOf(value ?? null, FRAME).length;
  } catch {
    return FRAME.bytes;
  }
}

/** The same for the same parameters, in whatever order their fields came. */
function digestOf({ method, params }: KeyedRequest): string {
  return createHash("sha256")
    .update(frameOf([method, sorted(params)], { ...FRAME, bytes: 2 * FRAME.bytes, values: 2 * FRAME.values }))
    .digest("base64");
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(fields.map(([name, field]) => [name, sorted(field)]));
}
