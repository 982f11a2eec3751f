/**
 * What a store is, said as plainly as can be, for tests to compare with: the whole of it, copied for each revision. It shares no code with the stores, looks
 * for nothing twice and is as slow as that.
 */
import type { Compare, Op, Txn } from "../store.ts";
import type { Step } from "./steps.ts";

interface Item {
  value: string;
  create: number;
  mod: number;
  version: number;
  lease: string | undefined;
}

const latin = (value: Uint8Array): string => Buffer.from(value).toString("latin1");

export class PlainStore {
  /** By revision. The one that is compacted is kept, those before are not. */
  readonly revisions = new Map<number, ReadonlyMap<string, Item>>([[1, new Map()]]);
  readonly log = new Map<number, string[]>();
  readonly #ends = new Map<string, { ttlMs: number; end: number }>();
  #now: ReadonlyMap<string, Item> = new Map();
  #leases = 0;
  #ms = 0;
  revision = 1;
  compacted = 0;

  get leases(): number {
    return this.#ends.size;
  }

  /** How many were ever given. */
  get lastLease(): number {
    return this.#leases;
  }

  /** What testing/stores.ts calls everything, as far as it is kept here. */
  everything(): { status: { revision: number; compacted: number; leases: number }; contents: string[]; history: string[] } {
    const { revision, compacted, leases } = this;
    return { status: { revision, compacted, leases }, contents: this.show(revision), history: this.history() };
  }

  show(revision: number): string[] {
    const items = [...this.revisions.get(revision)!].sort(([a], [b]) => (a < b ? -1 : 1));
    return items.map(([key, item]) => this.#short(key, item));
  }

  #short(key: string, { value, create, mod, version, lease }: Item): string {
    return `${key}=${value} @${create}/${mod} #${version}${lease === undefined ? "" : ` ${lease}`}`;
  }

  history(): string[] {
    return [...this.log].filter(([revision]) => revision > this.compacted).flatMap(([, lines]) => lines);
  }

  /** `lines` is what a watch tells of it. */
  #commit(items: ReadonlyMap<string, Item>, lines: string[]): void {
    if (lines.length === 0) return;
    this.revision += 1;
    this.#now = items;
    this.revisions.set(this.revision, items);
    this.log.set(this.revision, lines);
  }

  /** Time goes on; what is over ends in the order of its time. */
  pass(ms: number): void {
    this.#ms += ms;
    for (;;) {
      const over = [...this.#ends].filter(([, { end }]) => end <= this.#ms).sort(([, a], [, b]) => a.end - b.end)[0];
      if (!over) return;
      this.revoke(over[0]);
    }
  }

  grant(ttlSeconds: number): string {
    this.#leases += 1;
    this.#ends.set(String(this.#leases), { ttlMs: ttlSeconds * 1000, end: this.#ms + ttlSeconds * 1000 });
    return String(this.#leases);
  }

  keepAlive(lease: string): string {
    const held = this.#ends.get(lease);
    if (!held) return "store.lease";
    held.end = this.#ms + held.ttlMs;
    return String(held.ttlMs / 1000);
  }

  revoke(lease: string): string {
    if (!this.#ends.delete(lease)) return "store.lease";
    const keys = [...this.#now].filter(([, item]) => item.lease === lease).map(([key]) => key);
    this.#commit(
      new Map([...this.#now].filter(([key]) => !keys.includes(key))),
      keys.sort().map((key) => `${key} deleted @${this.revision + 1}`),
    );
    return "undefined";
  }

  compact(revision: number): string {
    if (revision > this.revision) return "store.future";
    this.compacted = Math.max(this.compacted, revision);
    for (const old of this.revisions.keys()) if (old < this.compacted) this.revisions.delete(old);
    return "undefined";
  }

  txn({ if: compares = [], then = [], else: otherwise = [] }: Txn): string {
    const succeeded = compares.every((compare) => this.#holds(compare));
    const ops = succeeded ? then : otherwise;
    if (ops.some((op) => op.op === "put" && op.lease !== undefined && !this.#ends.has(op.lease))) return "store.lease";
    const items = new Map(this.#now);
    const lines: string[] = [];
    const results = ops.map((op) => this.#carryOut(op, items, lines));
    this.#commit(items, lines);
    return `${succeeded} ${this.revision} ${results.join("; ")}`;
  }

  #carryOut(op: Op, items: Map<string, Item>, lines: string[]): string | undefined {
    const before = items.get(op.key);
    const short = before && this.#short(op.key, before);
    if (op.op === "get") return short;
    if (op.op === "delete") {
      if (items.delete(op.key)) lines.push(`${op.key} deleted @${this.revision + 1}`);
      return short;
    }
    const mod = this.revision + 1;
    const item = { value: latin(op.value), create: before?.create ?? mod, mod, version: (before?.version ?? 0) + 1, lease: op.lease };
    items.set(op.key, item);
    lines.push(this.#short(op.key, item));
    return lines.at(-1);
  }

  #holds(compare: Compare): boolean {
    const item = this.#now.get(compare.key);
    if (compare.field === "value") return item !== undefined && (item.value === latin(compare.to)) === (compare.is === "=");
    const given = item?.[compare.field] ?? 0;
    return { "=": given === compare.to, "!=": given !== compare.to, "<": given < compare.to, ">": given > compare.to }[compare.is];
  }
}

/** As take(), for this one. */
export function takePlain(step: Step, plain: PlainStore): string {
  switch (step.do) {
    case "txn":
      return plain.txn(step.txn);
    case "grant":
      return plain.grant(step.ttlSeconds);
    case "keep_alive":
      return plain.keepAlive(step.lease);
    case "revoke":
      return plain.revoke(step.lease);
    case "compact":
      return plain.compact(step.revision);
    case "advance":
    case "skip":
      plain.pass(step.ms);
      return "undefined";
  }
}
