/**
 * Objects of one kind in a store: desired state, as JSON, each under its name. Objects are checked against the kind's schema when they are written and when
 * they are read. Each has a version, which its next writer has to name: who read an older one gets `store.stale`, and nothing is lost that way.
 *
 * What is to change together does so in one transaction of the store: the `if…` and `put…` methods make its parts.
 */
import { NfError } from "@nfactor/sdk/errors";
import type { z } from "zod";
import { requireName, requirePrefix, shown } from "./names.ts";
import { type Change, type Compare, type Entry, type Op, type RangeQuery, type Revision, type Store, isAbsent, isUnchanged } from "./store.ts";

export interface Kind<T> {
  /** What one of them is called in messages: `tenant`, `chain`. */
  readonly noun: string;
  /** Where they lie: `tenants/`. Everything under it is of this kind. */
  readonly prefix: string;
  /** Segments of a name: 1 unless an object belongs to another one, as chain `blue/web` to tenant `blue`. */
  readonly segments?: number;
  /** Of what is written: JSON, without transformations. */
  readonly schema: z.ZodType<T>;
  /** Of the schema; 1 at first. */
  readonly version: number;
  /** By the version they start from: what an object of that version is in the next one. An object is upgraded as it is read, and kept so when it is written. */
  readonly upgrades?: Readonly<Record<number, (object: unknown) => unknown>>;
}

export interface Stored<T> {
  readonly name: string;
  readonly object: T;
  /** What the next writer has to name. */
  readonly version: Revision;
  readonly createRevision: Revision;
}

export type CollectionChange<T> =
  | { readonly type: "put"; readonly stored: Stored<T> }
  | { readonly type: "delete"; readonly name: string }
  /** One that cannot be read: the others are not kept from being seen by it. */
  | { readonly type: "unreadable"; readonly name: string; readonly error: NfError };

export interface CollectionChanges<T> {
  readonly revision: Revision;
  readonly changes: readonly CollectionChange<T>[];
}

/** As Watch, with objects: for one loop. */
export interface CollectionWatch<T> extends AsyncIterable<CollectionChanges<T>> {
  close(): void;
}

/** What `update()` would refuse: for checks before it. Throws NfError (store.stale). */
export function requireUnchanged(noun: string, { name, version: now }: Pick<Stored<unknown>, "name" | "version">, given: Revision | undefined): void {
  if (given === undefined || given === now) return;
  throw new NfError("store.stale", `${noun} ${shown(name)} was changed meanwhile: version ${given} was given, it is at ${now}`, {
    given: String(given),
    allowed: String(now),
    fix: "Read it again, and make the change to what it is now.",
  });
}

/** A writer that finds others there before it this many times in a row gives up. */
const ATTEMPTS = 16;

export class Collection<T> {
  readonly #store: Store;
  readonly #kind: Kind<T>;

  constructor(store: Store, kind: Kind<T>) {
    requirePrefix(kind.prefix);
    this.#store = store;
    this.#kind = kind;
  }

  /** Throws NfError (store.name). */
  keyOf(name: string): string {
    requireName(this.#kind.noun, name, this.#kind.segments ?? 1);
    return this.#kind.prefix + name;
  }

  /** Throws NfError (store.name, store.object when it cannot be read). */
  async find(name: string): Promise<Stored<T> | undefined> {
    const { entry } = await this.#store.get(this.keyOf(name));
    return entry && this.read(entry);
  }

  /** As find(), and throws NfError (store.not_found). */
  async get(name: string): Promise<Stored<T>> {
    return (await this.find(name)) ?? this.#refuseMissing(name);
  }

  /**
   * A page, in order of names; `under` are the first segments of those wanted: `blue`. `next` is the `after` of the next page. Objects that cannot be read are
   * named in `unreadable`. Throws NfError (store.name, store.limit, store.compacted, store.future).
   */
  async list({
    under,
    after,
    ...query
  }: { readonly under?: string; readonly after?: string | undefined } & Omit<RangeQuery, "prefix" | "after"> = {}): Promise<{
    readonly revision: Revision;
    readonly objects: readonly Stored<T>[];
    readonly unreadable: readonly NfError[];
    readonly next: string | undefined;
  }> {
    const prefix = under === undefined ? this.#kind.prefix : `${this.#kind.prefix}${under}/`;
    const page = await this.#store.range({ ...query, prefix, after: after === undefined ? undefined : this.keyOf(after) });
    const objects: Stored<T>[] = [];
    const unreadable: NfError[] = [];
    for (const entry of page.entries) {
      const change = this.#changeOf({ type: "put", entry });
      if (change.type === "put") objects.push(change.stored);
      else if (change.type === "unreadable") unreadable.push(change.error);
    }
    return { revision: page.revision, objects, unreadable, next: page.next?.slice(this.#kind.prefix.length) };
  }

  /** Throws NfError (store.exists, store.object, store.name, and what Store.txn() throws). */
  async create(name: string, object: T): Promise<Stored<T>> {
    const { succeeded, results } = await this.#store.txn({ if: [this.ifAbsent(name)], then: [this.put(name, object)] });
    if (succeeded) return this.read(results[0]!);
    throw new NfError("store.exists", `there is a ${this.#kind.noun} ${shown(name)} already`, {
      given: name,
      fix: "Choose another name, or change the one that is there.",
    });
  }

  /** Throws NfError (store.stale, store.not_found, store.object, store.name, and what Store.txn() throws). */
  async update(name: string, object: T, version: Revision): Promise<Stored<T>> {
    const key = this.keyOf(name);
    const result = await this.#store.txn({ if: [this.ifUnchanged(name, version)], then: [this.put(name, object)], else: [{ op: "get", key }] });
    return result.succeeded ? this.read(result.results[0]!) : this.#refuseStale(name, version, result.results[0]);
  }

  /**
   * Reads, lets `change` say what comes in its place (undefined: nothing changes), writes, and begins anew when somebody else wrote meanwhile. `change` may be
   * called several times. Throws NfError (store.not_found; store.stale when others were faster each time; and as update()).
   */
  async modify(name: string, change: (object: T) => T | undefined): Promise<Stored<T>> {
    for (let attempt = 1; ; attempt++) {
      const stored = await this.get(name);
      const object = change(stored.object);
      if (object === undefined) return stored;
      try {
        return await this.update(name, object, stored.version);
      } catch (error) {
        if (!(error instanceof NfError) || error.code !== "store.stale" || attempt === ATTEMPTS) throw error;
      }
    }
  }

  /** Of any version, when none is named. Throws NfError (store.stale, store.not_found, store.name, and what Store.txn() throws). */
  async delete(name: string, version?: Revision): Promise<void> {
    const key = this.keyOf(name);
    const compares = version === undefined ? [] : [this.ifUnchanged(name, version)];
    const { succeeded, results } = await this.#store.txn({ if: compares, then: [{ op: "delete", key }], else: [{ op: "get", key }] });
    if (!succeeded) this.#refuseStale(name, version!, results[0]);
    if (!results[0]) this.#refuseMissing(name);
  }

  /** From revision `from` on, or from the next change on; everything else is said by Store.watch(). */
  async watch(from?: Revision): Promise<CollectionWatch<T>> {
    const watch = await this.#store.watch({ prefix: this.#kind.prefix }, { from });
    const read = async (): Promise<IteratorResult<CollectionChanges<T>>> => {
      const { done, value } = await watch.next();
      if (done) return { done, value: undefined };
      return { done: false, value: { revision: value.revision, changes: value.changes.map((change) => this.#changeOf(change)) } };
    };
    const leave = async (): Promise<IteratorResult<CollectionChanges<T>>> => {
      watch.close();
      return { done: true, value: undefined };
    };
    return { close: () => watch.close(), [Symbol.asyncIterator]: () => ({ next: read, return: leave }) };
  }

  ifAbsent(name: string): Compare {
    return isAbsent(this.keyOf(name));
  }

  ifUnchanged(name: string, version: Revision): Compare {
    return isUnchanged(this.keyOf(name), version);
  }

  /** Throws NfError (store.object, store.name). */
  put(name: string, object: T): Op {
    const key = this.keyOf(name);
    const json = { version: this.#kind.version, object: this.#check(name, object, "does not fit") };
    return { op: "put", key, value: Buffer.from(JSON.stringify(json)) };
  }

  /** Throws NfError (store.object) when the entry is none of this kind, or of a version that is not known. */
  read(entry: Entry): Stored<T> {
    const name = entry.key.slice(this.#kind.prefix.length);
    const object = this.#check(name, this.#upgraded(name, entry.value), "was stored and does not fit any more");
    return { name, object, version: entry.modRevision, createRevision: entry.createRevision };
  }

  #changeOf(change: Change): CollectionChange<T> {
    if (change.type === "delete") return { type: "delete", name: change.key.slice(this.#kind.prefix.length) };
    try {
      return { type: "put", stored: this.read(change.entry) };
    } catch (error) {
      if (!(error instanceof NfError)) throw error;
      return { type: "unreadable", name: change.entry.key.slice(this.#kind.prefix.length), error };
    }
  }

  #check(name: string, object: unknown, what: string): T {
    const { success, data, error } = this.#kind.schema.safeParse(object);
    if (success) return data;
    const { path, message } = error.issues[0]!;
    const where = path.length === 0 ? "" : `${path.map(String).join(".")}: `;
    throw new NfError("store.object", `${this.#kind.noun} ${shown(name)} ${what}: ${where}${message}`, { fix: `Mend that, and write it again.` });
  }

  #upgraded(name: string, value: Uint8Array): unknown {
    const { noun, version, upgrades = {} } = this.#kind;
    let json: unknown;
    try {
      json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(value));
    } catch {
      json = undefined;
    }
    const envelope = (typeof json === "object" && json !== null ? json : {}) as { readonly version?: unknown; object?: unknown };
    const given = envelope.version;
    if (typeof given !== "number" || !Number.isInteger(given) || given < 1)
      throw new NfError("store.object", `what is stored as ${noun} ${shown(name)} is none`, { fix: "Delete it, or write it again." });
    let { object } = envelope;
    for (let from = given; from !== version; from++) {
      const upgrade = upgrades[from];
      if (from > version || !upgrade)
        throw new NfError("store.object", `${noun} ${shown(name)} is of version ${given} and cannot be read`, {
          given: String(given),
          allowed: `versions up to ${version}`,
          fix: "Use the NFActor that wrote it.",
        });
      object = upgrade(object);
    }
    return object;
  }

  #refuseMissing(name: string): never {
    throw new NfError("store.not_found", `there is no ${this.#kind.noun} ${shown(name)}`, { given: name, fix: "Look for its name in the list of them." });
  }

  #refuseStale(name: string, version: Revision, now: Entry | undefined): never {
    if (!now) this.#refuseMissing(name);
    requireUnchanged(this.#kind.noun, { name, version: now.modRevision }, version);
    throw new Error("a comparison of versions failed, and they are the same");
  }
}
