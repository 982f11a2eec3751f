/**
 * The sending end of a stream. The reader says for how many items it has room (`credit`); what it has no room for waits here, within bounds. Beyond them an
 * event is lost, and the reader is told where and how many; data waits with whoever makes it. A reader that takes nothing for too long loses the stream.
 */
import { NfError } from "@nfactor/sdk/errors";
import type { Clock } from "../clock/clock.ts";
import { frameOf } from "../rpc/frame.ts";
import { CREDIT_MAX, FRAME, ITEM_BYTES_MAX } from "./messages.ts";
import type { Sink } from "./method.ts";
import type { Wire } from "./wire.ts";

export interface OutletLimits {
  readonly items: number;
  readonly bytes: number;
  /** So long something may wait for a reader that takes nothing. */
  readonly slowMs: number;
}
export const OUTLET: OutletLimits = { items: 256, bytes: 1 << 20, slowMs: 60_000 };

interface Waiter {
  readonly done: () => void;
  readonly fail: (why: Error) => void;
}

type Waiting = { readonly frame: Buffer } | { lost: number };

export interface OutletOptions {
  readonly id: number;
  readonly wire: Wire;
  readonly clock: Clock;
  readonly credit: number;
  readonly check: (item: unknown) => unknown;
  readonly limits: OutletLimits;
  /** The reader is too slow: the stream is over. */
  readonly slow: (why: NfError) => void;
}

export class Outlet implements Sink<unknown> {
  readonly #options: OutletOptions;
  readonly #queue: Waiting[] = [];
  #queuedBytes = 0;
  #credit: number;
  /** Those who wait for room. */
  readonly #senders: Waiter[] = [];
  /** Who waits for the queue to be empty. */
  #flush: Waiter | undefined;
  #cancelSlow: (() => void) | undefined;
  #end: Error | undefined;

  constructor(options: OutletOptions) {
    this.#options = options;
    this.#credit = options.credit;
  }

  offer(item: unknown): boolean {
    if (this.#end) return false;
    const frame = this.#frameOf(item);
    if (!this.#hasRoom(frame.length)) {
      const last = this.#queue.at(-1);
      if (last && "lost" in last) last.lost += 1;
      else this.#queue.push({ lost: 1 });
      return false;
    }
    this.#put(frame);
    return true;
  }

  async send(item: unknown): Promise<void> {
    if (this.#end) throw this.#end;
    const frame = this.#frameOf(item);
    while (!this.#hasRoom(frame.length)) await new Promise<void>((done, fail) => this.#senders.push({ done, fail }));
    if (this.#end) throw this.#end;
    this.#put(frame);
  }

  /** Undefined, or what the reader has done wrong. */
  grant(items: number): string | undefined {
    this.#credit += items;
    this.pump();
    return this.#credit > CREDIT_MAX ? "more credit than a stream may have" : undefined;
  }

  /** Sends what credit and connection have room for. */
  pump(): void {
    const { wire, id } = this.#options;
    let sent = false;
    while (!this.#end && !wire.isCongested) {
      const first = this.#queue[0];
      if (!first || ("frame" in first && this.#credit === 0)) break;
      this.#queue.shift();
      sent = true;
      if ("lost" in first) wire.send({ t: "gap", id, lost: first.lost });
      else {
        this.#credit -= 1;
        this.#queuedBytes -= first.frame.length;
        wire.sendFrame(first.frame);
      }
    }
    this.#watchReader(sent);
    if (this.#queue.length === 0) this.#flush?.done();
    if (sent) for (const { done } of this.#senders.splice(0)) done();
  }

  /** Resolves when all that was offered has gone out; rejects when the stream ends before. */
  flushed(): Promise<void> {
    return new Promise((done, fail) => {
      if (this.#end) return fail(this.#end);
      this.#flush = { done, fail };
      this.pump();
    });
  }

  end(why: Error): void {
    if (this.#end) return;
    this.#end = why;
    this.#cancelSlow?.();
    this.#queue.length = 0;
    this.#flush?.fail(why);
    for (const { fail } of this.#senders.splice(0)) fail(why);
  }

  #frameOf(item: unknown): Buffer {
    return frameOf({ t: "item", id: this.#options.id, item: this.#options.check(item) }, { ...FRAME, bytes: ITEM_BYTES_MAX });
  }

  #hasRoom(bytes: number): boolean {
    const { limits } = this.#options;
    // Behind a gap nothing is queued before the reader has caught up: it would learn of many small gaps instead of one.
    if (this.#queue.length > 0 && "lost" in this.#queue.at(-1)!) return false;
    return this.#queue.length < limits.items && (this.#queue.length === 0 || this.#queuedBytes + bytes <= limits.bytes);
  }

  #put(frame: Buffer): void {
    this.#queue.push({ frame });
    this.#queuedBytes += frame.length;
    this.pump();
  }

  /** The time of a reader that takes nothing begins when something waits, and again with each thing that it takes. */
  #watchReader(hasTaken: boolean): void {
    if (this.#queue.length === 0 || hasTaken) {
      this.#cancelSlow?.();
      this.#cancelSlow = undefined;
    }
    if (this.#queue.length === 0 || this.#cancelSlow || this.#end) return;
    const { clock, limits, slow } = this.#options;
    this.#cancelSlow = clock.after(limits.slowMs, () =>
      slow(new NfError("rpc.slow", `the reader took nothing for ${limits.slowMs / 1000} s`, { fix: "Read faster, or ask for less." })),
    );
  }
}
