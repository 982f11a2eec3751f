/**
 * A watch of a LocalStore. It has no queue: it remembers the next revision it has to look at, and reads the history from there when it is asked for more. One
 * that waits moves on with every write, so only a reader that does not ask can fall behind what is kept.
 */
import type { NfError } from "@nfactor/sdk/errors";
import type { KeyRange } from "../names.ts";
import type { Changes, Revision, Watch } from "../store.ts";

/** What a watch needs of its store. */
export interface WatchSource {
  readonly revision: Revision;
  /** Those of the first revision from `from` on, or undefined. Throws NfError (store.compacted, store.closed, store.io, store.damaged). */
  changesFrom(range: KeyRange, from: Revision): Changes | undefined;
  forget(watch: LocalWatch): void;
}

interface Waiting {
  readonly resolve: (result: IteratorResult<Changes>) => void;
  readonly reject: (error: unknown) => void;
}

export class LocalWatch implements Watch {
  readonly #source: WatchSource;
  readonly #range: KeyRange;
  #next: Revision;
  #waiting: Waiting | undefined;
  #isEnded = false;
  /** What the store ended it with, until the reader has been told. */
  #failure: NfError | undefined;

  constructor(source: WatchSource, range: KeyRange, from: Revision) {
    this.#source = source;
    this.#range = range;
    this.#next = from;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Changes>> {
    if (this.#waiting) return Promise.reject(new Error("a watch has one reader: it was asked for more before it had answered"));
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.look();
    });
  }

  return(): Promise<IteratorResult<Changes>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  close(): void {
    this.#end();
    this.#answer({ done: true, value: undefined });
  }

  /** The store is closed, or broken. */
  fail(error: NfError): void {
    if (this.#isEnded) return;
    this.#failure = error;
    this.#end();
    if (this.#waiting) this.look();
  }

  /** Gives the reader that waits the next changes, if there are some. */
  look(): void {
    if (!this.#waiting) return;
    if (this.#failure) return this.#reject(this.#failure);
    if (this.#isEnded) return this.#answer({ done: true, value: undefined });
    try {
      const changes = this.#next > this.#source.revision ? undefined : this.#source.changesFrom(this.#range, this.#next);
      this.#next = Math.max(this.#next, (changes?.revision ?? this.#source.revision) + 1);
      if (changes) this.#answer({ done: false, value: changes });
    } catch (error) {
      this.#end();
      this.#reject(error);
    }
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#source.forget(this);
  }

  #answer(result: IteratorResult<Changes>): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve(result);
  }

  #reject(error: unknown): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#failure = undefined;
    waiting?.reject(error);
  }
}
