/**
 * The audit log: who asked for which change, from where, and what became of it. Each record is on disk before its request is answered. The oldest give way,
 * those of refused requests first when they are more than half: anybody with a token can have as many of them as they like.
 *
 * A record's name is its number: microseconds of the date, or one more than the last, so that numbers rise also when the date does not.
 */
import { safeText } from "@nfactor/host/text";
import { NfError } from "@nfactor/sdk/errors";
import { AUDIT, AUDIT_KEPT, type AuditRecord } from "../cluster/kinds.ts";
import { Collection, type Entry, type Store } from "../store/index.ts";

/** Deleted at once, in one transaction. */
const SWEEP = 100;
const DIGITS = 16;

export type NumberedAudit = AuditRecord & { readonly number: number };

export class AuditLog {
  readonly #store: Store;
  readonly #records: Collection<AuditRecord>;
  readonly #dateMs: () => number;
  readonly #kept: number;
  /** Of all that are kept, rising. */
  #numbers: number[];
  /** Those of them that were refused. */
  #refused: number[];
  /** One that is being written takes the oldest along: others that are written meanwhile leave them to it. */
  #isSweeping = false;

  private constructor(store: Store, numbers: number[], refused: number[], dateMs: () => number, kept: number) {
    this.#store = store;
    this.#records = new Collection(store, AUDIT);
    this.#numbers = numbers;
    this.#refused = refused;
    this.#dateMs = dateMs;
    this.#kept = kept;
  }

  static async open(
    store: Store,
    { dateMs = Date.now, kept = AUDIT_KEPT }: { readonly dateMs?: () => number; readonly kept?: number } = {},
  ): Promise<AuditLog> {
    const [numbers, refused]: [number[], number[]] = [[], []];
    const records = new Collection(store, AUDIT);
    let after: string | undefined;
    do {
      const page = await store.range({ prefix: AUDIT.prefix, after });
      for (const entry of page.entries) {
        const number = Number(entry.key.slice(AUDIT.prefix.length));
        numbers.push(number);
        if (isOfRefused(records, entry)) refused.push(number);
      }
      after = page.next;
    } while (after !== undefined);
    return new AuditLog(store, numbers, refused, dateMs, kept);
  }

  /** On disk when it returns. Throws what Store.txn() throws. */
  async add({ who, from, method, path, outcome, status }: Omit<AuditRecord, "at">): Promise<void> {
    const at = this.#dateMs();
    const number = Math.max((this.#numbers.at(-1) ?? 0) + 1, at * 1000);
    const record = { at, who: safe(who, 128), from: safe(from, 64), method: safe(method, 16), path: safe(path, 1024), outcome: safe(outcome, 64), status };
    this.#numbers.push(number);
    if (isRefused(record)) this.#refused.push(number);
    const surplus = this.#surplus(number);
    const deletions = surplus.map((each) => ({ op: "delete" as const, key: this.#records.keyOf(nameOf(each)) }));
    if (surplus.length > 0) this.#isSweeping = true;
    try {
      await this.#store.txn({ then: [this.#records.put(nameOf(number), record), ...deletions] });
      this.#forget(surplus);
    } catch (error) {
      // It has no record, and those that were to go are there still: the next one that is written takes them along.
      this.#forget([number]);
      throw error;
    } finally {
      if (surplus.length > 0) this.#isSweeping = false;
    }
  }

  /** What gives way when this one is written. */
  #surplus(number: number): readonly number[] {
    if (this.#isSweeping || this.#numbers.length - this.#kept < SWEEP) return [];
    const oldest = this.#refused.length > this.#kept / 2 ? this.#refused : this.#numbers;
    return oldest.slice(0, SWEEP).filter((each) => each !== number);
  }

  #forget(numbers: readonly number[]): void {
    if (numbers.length === 0) return;
    const gone = new Set(numbers);
    this.#numbers = this.#numbers.filter((each) => !gone.has(each));
    this.#refused = this.#refused.filter((each) => !gone.has(each));
  }

  /** The newest first, from before a number on. */
  async list({ before = Infinity, limit }: { readonly before?: number | undefined; readonly limit: number }): Promise<readonly NumberedAudit[]> {
    const end = this.#numbers.findLastIndex((number) => number < before) + 1;
    const wanted = this.#numbers.slice(Math.max(0, end - limit), end).reverse();
    const found = await Promise.all(wanted.map(async (number) => ({ number, record: await this.#records.find(nameOf(number)) })));
    return found.flatMap(({ number, record }) => (record ? [{ number, ...record.object }] : []));
  }
}

const isRefused = ({ status }: Pick<AuditRecord, "status">): boolean => status >= 400;
/** One that cannot be read stays as long as any other. */
function isOfRefused(records: Collection<AuditRecord>, entry: Entry): boolean {
  try {
    return isRefused(records.read(entry).object);
  } catch (error) {
    if (error instanceof NfError) return false;
    throw error;
  }
}
const nameOf = (number: number): string => String(number).padStart(DIGITS, "0");

/** Escaping makes it longer. */
const safe = (text: string, max: number): string => safeText(text, max - 1).slice(0, max);
