/**
 * What has happened in the cluster, for people and dashboards: numbered without gaps, the oldest go when there are too many. Whoever has something to say does
 * not wait for it: events are written in the order in which they came, several at once when there are several. What the store refuses is told to `onTrouble`.
 */
import { safeText } from "@nfactor/host/text";
import { NfError } from "@nfactor/sdk/errors";
import { Collection, type Op, type Store } from "../store/index.ts";
import type { NumberedEvent } from "./cluster_api.ts";
import { type ClusterEvent, EVENT, EVENTS_KEPT } from "./kinds.ts";

export interface EventLogOptions {
  readonly store: Store;
  /** Milliseconds of the date. */
  readonly dateMs: () => number;
  readonly onTrouble: (why: NfError) => void;
  readonly kept?: number;
}

/** Events and deletions of one transaction: within what a store takes. */
const WRITTEN_AT_ONCE = 30;
const DELETED_AT_ONCE = 90;
/** Events that wait to be written; later ones are lost, and counted. */
const QUEUED_MAX = 1000;
const TEXT_MAX = 4000;
const DETAILS_MAX = 8 * 1024;
const PAGE = 500;

const nameOf = (number: number): string => String(number).padStart(12, "0");
export const isAbout = (event: Pick<ClusterEvent, "about">, about: string | undefined): boolean =>
  about === undefined || event.about === about || event.about.startsWith(`${about}/`);

export class EventLog {
  readonly #store: Store;
  readonly #events: Collection<ClusterEvent>;
  readonly #dateMs: () => number;
  readonly #onTrouble: (why: NfError) => void;
  readonly #kept: number;
  readonly #queue: ClusterEvent[] = [];
  #first = 1;
  #next = 1;
  #lost = 0;
  #writing: Promise<void> | undefined;

  private constructor({ store, dateMs, onTrouble, kept = EVENTS_KEPT }: EventLogOptions) {
    this.#store = store;
    this.#events = new Collection(store, EVENT);
    this.#dateMs = dateMs;
    this.#onTrouble = onTrouble;
    this.#kept = kept;
  }

  static async open(options: EventLogOptions): Promise<EventLog> {
    const log = new EventLog(options);
    await log.#find();
    return log;
  }

  /** Of the newest one; 0 when there is none. */
  get last(): number {
    return this.#next - 1;
  }

  add(kind: ClusterEvent["kind"], about: string, severity: ClusterEvent["severity"], text: string, details?: ClusterEvent["details"]): void {
    if (this.#queue.length >= QUEUED_MAX) {
      this.#lost += 1;
      return;
    }
    const isShort = details !== undefined && JSON.stringify(details).length <= DETAILS_MAX;
    this.#queue.push({
      at: Math.max(0, Math.round(this.#dateMs())),
      kind,
      about: safeText(about).slice(0, 200),
      severity,
      text: safeText(text, TEXT_MAX).slice(0, TEXT_MAX),
      ...(isShort ? { details } : {}),
    });
    this.#writing ??= this.#write().finally(() => (this.#writing = undefined));
  }

  /** Resolves when all that was said has been written, or refused. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  /** The newest last. */
  async read({
    about,
    before,
    limit,
  }: {
    readonly about?: string | undefined;
    readonly before?: number | undefined;
    readonly limit: number;
  }): Promise<readonly NumberedEvent[]> {
    await this.flush();
    const found: NumberedEvent[] = [];
    let end = Math.min(before ?? this.#next, this.#next);
    while (found.length < limit && end > this.#first) {
      const begin = Math.max(this.#first, end - PAGE);
      const { objects } = await this.#events.list({ after: nameOf(begin - 1), limit: end - begin });
      for (const { name, object } of [...objects].reverse()) {
        const number = Number(name);
        if (number < end && found.length < limit && isAbout(object, about)) found.push({ ...object, number });
      }
      end = begin;
    }
    return found.reverse();
  }

  async *watch(
    { about, after }: { readonly about?: string | undefined; readonly after?: number | undefined },
    signal: AbortSignal,
  ): AsyncGenerator<NumberedEvent, void> {
    // Numbers that are still to come are those of another log, as of a store that was put back since: here they would hide all that comes.
    let last = Math.min(after ?? this.last, this.last);
    while (!signal.aborted) {
      let stop = (): void => undefined;
      try {
        const revision = yield* this.#catchUp(last, (number) => (last = number), about, signal);
        const watch = await this.#events.watch(revision + 1);
        stop = () => watch.close();
        signal.addEventListener("abort", stop, { once: true });
        if (signal.aborted) stop();
        for await (const { changes } of watch) {
          for (const change of changes) {
            if (change.type !== "put" || Number(change.stored.name) <= last) continue;
            last = Number(change.stored.name);
            if (isAbout(change.stored.object, about)) yield { ...change.stored.object, number: last };
          }
        }
        return;
      } catch (error) {
        // A reader that was too slow reads on from where it was, as far as that is kept.
        if (!(error instanceof NfError) || error.code !== "store.compacted") throw error;
      } finally {
        signal.removeEventListener("abort", stop);
        stop();
      }
    }
  }

  /** What is there after `from`; returns the revision of what was read last. */
  async *#catchUp(from: number, reached: (number: number) => void, about: string | undefined, signal: AbortSignal): AsyncGenerator<NumberedEvent, number> {
    let after = Math.max(from, this.#first - 1);
    for (;;) {
      const { objects, revision, next } = await this.#events.list({ after: nameOf(after), limit: PAGE });
      for (const { name, object } of objects) {
        after = Number(name);
        reached(after);
        if (isAbout(object, about)) yield { ...object, number: after };
        if (signal.aborted) return revision;
      }
      if (next === undefined) return revision;
    }
  }

  async #write(): Promise<void> {
    // What is said within one turn is written at once.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      if (this.#lost > 0) {
        const text = `${this.#lost} events found no room to wait in, and are lost`;
        this.#queue.splice(WRITTEN_AT_ONCE - 1, 0, { at: Math.round(this.#dateMs()), kind: "controller", about: "events", severity: "warning", text });
        this.#lost = 0;
      }
      const events = this.#queue.slice(0, WRITTEN_AT_ONCE);
      const surplus = this.#next + events.length - this.#first - this.#kept;
      const gone = surplus >= DELETED_AT_ONCE ? DELETED_AT_ONCE : 0;
      const then: Op[] = [
        ...events.map((event, i) => this.#events.put(nameOf(this.#next + i), event)),
        ...Array.from({ length: gone }, (_, i): Op => ({ op: "delete", key: this.#events.keyOf(nameOf(this.#first + i)) })),
      ];
      try {
        await this.#store.txn({ then });
        this.#next += events.length;
        this.#first += gone;
      } catch (error) {
        this.#onTrouble(error instanceof NfError ? error : new NfError("internal", String(error), { cause: error }));
      }
      this.#queue.splice(0, events.length);
    }
  }

  /** There are no gaps between the first and the last one. */
  async #find(): Promise<void> {
    const { entries } = await this.#store.range({ prefix: EVENT.prefix, limit: 1 });
    if (!entries[0]) return;
    this.#first = Number(entries[0].key.slice(EVENT.prefix.length));
    let [there, missing] = [this.#first, this.#first + 1];
    const isThere = async (number: number): Promise<boolean> => (await this.#store.get(this.#events.keyOf(nameOf(number)))).entry !== undefined;
    while (await isThere(missing)) [there, missing] = [missing, this.#first + 2 * (missing - this.#first)];
    while (missing - there > 1) {
      const middle = Math.floor((there + missing) / 2);
      if (await isThere(middle)) there = middle;
      else missing = middle;
    }
    this.#next = there + 1;
  }
}
