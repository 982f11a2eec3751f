/**
 * All objects of a collection, kept in memory as the store has them: read once, then followed. Whoever has written knows the revision of that, and waits for
 * it (`reached`) when what it does next is to see it.
 */
import { NfError } from "@nfactor/sdk/errors";
import type { Collection, CollectionWatch, Revision, Stored } from "../store/index.ts";

export class Mirror<T> {
  readonly #collection: Collection<T>;
  readonly #onChange: (name: string, now: Stored<T> | undefined) => void;
  readonly #onTrouble: (why: NfError) => void;
  readonly #objects = new Map<string, Stored<T>>();
  readonly #waiting = new Set<{ readonly revision: Revision; readonly done: () => void }>();
  #watch: CollectionWatch<T> | undefined;
  #revision: Revision = 0;
  #isClosed = false;

  private constructor(collection: Collection<T>, onChange: (name: string, now: Stored<T> | undefined) => void, onTrouble: (why: NfError) => void) {
    this.#collection = collection;
    this.#onChange = onChange;
    this.#onTrouble = onTrouble;
  }

  /** Resolves when everything that is there has been read. `onChange` is called for what changes from then on. */
  static async open<T>(
    collection: Collection<T>,
    onChange: (name: string, now: Stored<T> | undefined) => void,
    onTrouble: (why: NfError) => void,
  ): Promise<Mirror<T>> {
    const mirror = new Mirror(collection, onChange, onTrouble);
    await mirror.#read();
    void mirror.#follow();
    return mirror;
  }

  get(name: string): Stored<T> | undefined {
    return this.#objects.get(name);
  }

  get all(): IterableIterator<Stored<T>> {
    return this.#objects.values();
  }

  get size(): number {
    return this.#objects.size;
  }

  /** Resolves when a revision that changed one of these objects has been seen. */
  reached(revision: Revision): Promise<void> {
    if (this.#isClosed || this.#revision >= revision) return Promise.resolve();
    return new Promise((done) => this.#waiting.add({ revision, done }));
  }

  close(): void {
    this.#isClosed = true;
    this.#watch?.close();
    for (const { done } of this.#waiting) done();
    this.#waiting.clear();
  }

  /** All anew, and a watch from there on. What went meanwhile is told, too. */
  async #read(): Promise<void> {
    const found = new Map<string, Stored<T>>();
    let [after, revision]: [string | undefined, Revision | undefined] = [undefined, undefined];
    do {
      const page = await this.#collection.list({ after, revision });
      revision = page.revision;
      for (const stored of page.objects) found.set(stored.name, stored);
      for (const why of page.unreadable) this.#onTrouble(why);
      after = page.next;
    } while (after !== undefined);
    this.#watch = await this.#collection.watch(revision + 1);
    const isFirst = this.#revision === 0;
    for (const name of [...this.#objects.keys()]) if (!found.has(name)) this.#set(name, undefined, !isFirst);
    for (const [name, stored] of found) if (this.#objects.get(name)?.version !== stored.version) this.#set(name, stored, !isFirst);
    this.#reach(revision);
  }

  async #follow(): Promise<void> {
    while (!this.#isClosed) {
      try {
        for await (const { revision, changes } of this.#watch!) {
          for (const change of changes) {
            if (change.type === "put") this.#set(change.stored.name, change.stored, true);
            else if (change.type === "delete") this.#set(change.name, undefined, true);
            else this.#onTrouble(change.error);
          }
          this.#reach(revision);
        }
        return;
      } catch (error) {
        if (this.#isClosed) return;
        if (!(error instanceof NfError) || error.code !== "store.compacted") {
          this.#onTrouble(error instanceof NfError ? error : new NfError("internal", String(error), { cause: error }));
          return;
        }
        try {
          await this.#read();
        } catch (why) {
          // Nobody waits for this: what the store cannot read now it cannot for anybody.
          if (!this.#isClosed) this.#onTrouble(why instanceof NfError ? why : new NfError("internal", String(why), { cause: why }));
          return;
        }
      }
    }
  }

  #set(name: string, now: Stored<T> | undefined, tell: boolean): void {
    if (now) this.#objects.set(name, now);
    else this.#objects.delete(name);
    if (tell) this.#onChange(name, now);
  }

  #reach(revision: Revision): void {
    this.#revision = Math.max(this.#revision, revision);
    for (const waiting of this.#waiting) {
      if (waiting.revision > this.#revision) continue;
      this.#waiting.delete(waiting);
      waiting.done();
    }
  }
}
