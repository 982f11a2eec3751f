/**
 * The reading end of a stream: items and gaps in order, for one loop. What has come and is not read is bounded by the credit that was given; more is given as
 * items are read. Leaving the loop calls the stream off.
 */
import { NfError } from "@nfactor/sdk/errors";
import { breach } from "./breach.ts";

export type StreamEvent<I> =
  | { readonly type: "item"; readonly item: I }
  /** So many items were lost here, since they came faster than they were read. */
  | { readonly type: "gap"; readonly lost: number };

export interface InletOptions<I> {
  readonly credit: number;
  readonly grant: (items: number) => void;
  readonly cancel: () => void;
  /** Throws NfError (rpc.result). */
  readonly check: (item: unknown) => I;
}

export class Inlet<I, R> implements AsyncIterableIterator<StreamEvent<I>> {
  readonly #options: InletOptions<I>;
  readonly #queue: StreamEvent<I>[] = [];
  /** Items that may still come. */
  #credit: number;
  /** Items that were read and for which no credit has been given. */
  #read = 0;
  #waiting: { done: (result: IteratorResult<StreamEvent<I>, undefined>) => void; fail: (why: unknown) => void } | undefined;
  #end: { readonly error: NfError | undefined } | undefined;
  #hasFailed = false;
  /** What the server says at the end; rejects when there is none. */
  readonly result: Promise<R>;
  #settle!: { done: (result: R) => void; fail: (why: NfError) => void };

  constructor(options: InletOptions<I>) {
    this.#options = options;
    this.#credit = options.credit;
    this.result = new Promise((done, fail) => (this.#settle = { done, fail }));
    this.result.catch(() => undefined);
  }

  /** Throws NfError when the other side sends what it may not. */
  take(item: unknown): void {
    if (this.#credit === 0) throw breach("an item for which there was no credit");
    this.#credit -= 1;
    if (this.#end) return;
    try {
      this.#push({ type: "item", item: this.#options.check(item) });
    } catch (error) {
      if (!(error instanceof NfError)) throw error;
      this.fail(error);
      this.#options.cancel();
    }
  }

  gap(lost: number): void {
    if (this.#end) return;
    const last = this.#queue.at(-1);
    if (last?.type === "gap") throw breach("a gap behind a gap");
    this.#push({ type: "gap", lost });
  }

  finish(result: R): void {
    this.#over(undefined);
    this.#settle.done(result);
  }

  fail(why: NfError): void {
    this.#over(why);
    this.#settle.fail(why);
  }

  next(): Promise<IteratorResult<StreamEvent<I>, undefined>> {
    if (this.#waiting) throw new Error("a stream is read by one loop");
    const event = this.#queue.shift();
    if (event) {
      if (event.type === "item") this.#hasRead();
      return Promise.resolve({ done: false, value: event });
    }
    if (this.#end) {
      const { error } = this.#end;
      // Told once; after that it is over, as any iterator is.
      if (!error || this.#hasFailed) return Promise.resolve({ done: true, value: undefined });
      this.#hasFailed = true;
      return Promise.reject(error);
    }
    return new Promise((done, fail) => (this.#waiting = { done, fail }));
  }

  return(): Promise<IteratorResult<StreamEvent<I>, undefined>> {
    if (!this.#end) {
      this.fail(new NfError("rpc.cancelled", "the reader has left the stream"));
      this.#options.cancel();
    }
    this.#queue.length = 0;
    this.#hasFailed = true;
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #push(event: StreamEvent<I>): void {
    const waiting = this.#waiting;
    if (!waiting) {
      this.#queue.push(event);
      return;
    }
    this.#waiting = undefined;
    if (event.type === "item") this.#hasRead();
    waiting.done({ done: false, value: event });
  }

  #hasRead(): void {
    this.#read += 1;
    if (this.#end || this.#read * 2 < this.#options.credit) return;
    this.#credit += this.#read;
    this.#options.grant(this.#read);
    this.#read = 0;
  }

  #over(error: NfError | undefined): void {
    if (this.#end) return;
    this.#end = { error };
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (!waiting) return;
    this.#hasFailed = error !== undefined;
    if (error) waiting.fail(error);
    else waiting.done({ done: true, value: undefined });
  }
}
