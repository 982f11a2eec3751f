/**
 * The half of a session that asks. As many requests are under way as the other side takes at once; more wait here, up to a bound and their deadlines. A request
 * keeps its place until it is answered, also after its caller has given up: so this side never asks for more than it was told.
 */
import { NfError } from "@nfactor/sdk/errors";
import type { z } from "zod";
import type { Clock } from "../clock/clock.ts";
import { tolerant } from "../rpc/tolerant.ts";
import { Inlet } from "./inlet.ts";
import { CREDIT_MAX, DEADLINE_MS_MAX } from "./messages.ts";
import type { CallName, ItemOf, Methods, ParamsOf, ResultOf, StreamName } from "./method.ts";
import { calledOff, pastDeadline } from "./outcomes.ts";
import { breach, firstIssue } from "./breach.ts";
import type { Wire } from "./wire.ts";

export interface CallOptions {
  readonly deadlineMs?: number | undefined;
  /** Calls it off. */
  readonly signal?: AbortSignal | undefined;
  /** Of a method that changes something: the same for the same wish, however often it is asked for. */
  readonly key?: string | undefined;
}
export interface StreamOptions extends Omit<CallOptions, "key"> {
  /** Items that may wait to be read. */
  readonly credit?: number | undefined;
}

export interface CallingLimits {
  /** Under way, as the other side has told. */
  readonly requests: number;
  /** Waiting to be sent. */
  readonly queued: number;
}
export const QUEUED_MAX = 1024;

/** How a call has ended. `refused`: by the other side, in its words; `given_up`: by who asked, at its deadline or before; `lost`: with its connection. */
export type CallOutcome = "ok" | "refused" | "given_up" | "lost";
export type OnCalled = (method: string, outcome: CallOutcome, ms: number) => void;

function outcomeOf({ code }: NfError): CallOutcome {
  if (code === "rpc.deadline" || code === "rpc.cancelled") return "given_up";
  return code.startsWith("rpc.") ? "lost" : "refused";
}

interface Pending {
  readonly result: (value: unknown) => void;
  readonly error: (why: NfError) => void;
  readonly inlet?: Inlet<unknown, unknown> | undefined;
}

export class Calling<M extends Methods> {
  readonly #methods: M;
  readonly #wire: Wire;
  readonly #clock: Clock;
  readonly #limits: CallingLimits;
  readonly #onCalled: OnCalled | undefined;
  readonly #pending = new Map<number, Pending>();
  /** In the order in which they came. */
  readonly #queue = new Set<() => void>();
  #lastId = 0;
  #end: NfError | undefined;

  constructor(methods: M, wire: Wire, clock: Clock, limits: CallingLimits, onCalled?: OnCalled) {
    this.#methods = methods;
    this.#wire = wire;
    this.#clock = clock;
    this.#limits = limits;
    this.#onCalled = onCalled;
  }

  /** Rejects with what the other side's handler threw, or NfError of the area rpc. */
  call<N extends CallName<M>>(name: N, params: ParamsOf<M[N]>, options: CallOptions = {}): Promise<ResultOf<M[N]>> {
    const method = this.#methods[name]!;
    const deadlineMs = options.deadlineMs ?? (method.kind === "call" ? method.deadlineMs : DEADLINE_MS_MAX);
    const beganMs = this.#clock.nowMs();
    const ended = (outcome: CallOutcome): void => this.#onCalled?.(name, outcome, this.#clock.nowMs() - beganMs);
    return new Promise((resolve, reject) => {
      const done = (value: unknown): void => {
        ended("ok");
        resolve(value as ResultOf<M[N]>);
      };
      const fail = (why: NfError): void => {
        ended(outcomeOf(why));
        reject(why);
      };
      this.#start({
        ...{ name, params, key: options.key, deadlineMs, signal: options.signal },
        done: (value) => this.#settle(name, method.result, value, done, fail),
        fail,
      });
    });
  }

  /** A stream that cannot be opened fails when it is read. */
  open<N extends StreamName<M>>(name: N, params: ParamsOf<M[N]>, options: StreamOptions = {}): Inlet<ItemOf<M[N]>, ResultOf<M[N]>> {
    type Item = ItemOf<M[N]>;
    type Result = ResultOf<M[N]>;
    const method = this.#methods[name]!;
    const credit = Math.min(options.credit ?? 64, CREDIT_MAX);
    const inlet = new Inlet<Item, Result>({
      credit,
      grant: (items) => request.grant(items),
      cancel: () => request.giveUp(calledOff()),
      check: (item) => this.#checked(name, (method as unknown as { item: z.ZodType }).item, item) as Item,
    });
    const request: Started = this.#start({
      ...{ name, params, key: undefined, deadlineMs: options.deadlineMs, signal: options.signal },
      ...{ credit, inlet: inlet as unknown as Inlet<unknown, unknown> },
      done: (value) =>
        this.#settle(
          name,
          method.result,
          value,
          (result) => inlet.finish(result as Result),
          (why) => inlet.fail(why),
        ),
      fail: (why) => inlet.fail(why),
    });
    return inlet;
  }

  get pending(): number {
    return this.#pending.size;
  }

  get queued(): number {
    return this.#queue.size;
  }

  /** Throws NfError (rpc.protocol) when nothing was asked under this number. */
  item(id: number, item: unknown): void {
    this.#inletOf(id).take(item);
  }

  gap(id: number, lost: number): void {
    this.#inletOf(id).gap(lost);
  }

  result(id: number, value: unknown): void {
    this.#answered(id).result(value);
  }

  error(id: number, why: NfError): void {
    this.#answered(id).error(why);
  }

  end(why: NfError): void {
    this.#end = why;
    for (const { error } of this.#pending.values()) error(why);
    this.#pending.clear();
    for (const go of this.#queue) go();
    this.#queue.clear();
  }

  #start({ name, params, key, deadlineMs, signal, credit, inlet, done, fail }: Starting): Started {
    let id: number | undefined;
    let isOver = false;
    const endsMs = deadlineMs === undefined ? undefined : this.#clock.nowMs() + deadlineMs;
    const over = (): boolean => {
      if (isOver) return false;
      isOver = true;
      cancelEnd?.();
      signal?.removeEventListener("abort", abort);
      return true;
    };
    const giveUp = (why: NfError): void => {
      if (!over()) return;
      if (id === undefined) this.#queue.delete(go);
      else if (this.#pending.has(id)) this.#wire.send({ t: "cancel", id });
      fail(why);
    };
    const abort = (): void => giveUp(calledOff());
    const go = (): void => {
      this.#queue.delete(go);
      if (this.#end) {
        if (over()) fail(this.#end);
        return;
      }
      const leftMs = endsMs === undefined ? undefined : Math.min(Math.max(1, Math.ceil(endsMs - this.#clock.nowMs())), DEADLINE_MS_MAX);
      try {
        this.#wire.send({ t: "request", id: this.#lastId + 1, method: name, params: params ?? null, deadline_ms: leftMs, key, credit });
      } catch (error) {
        if (over()) fail(error as NfError);
        return;
      }
      id = ++this.#lastId;
      this.#pending.set(id, {
        inlet,
        result: (value) => {
          if (over()) done(value);
        },
        error: (why) => {
          if (over()) fail(why);
        },
      });
    };
    const cancelEnd = deadlineMs === undefined ? undefined : this.#clock.after(deadlineMs, () => giveUp(pastDeadline()));
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) abort();
    else if (this.#end || this.#pending.size < this.#limits.requests) go();
    else if (this.#queue.size < this.#limits.queued) this.#queue.add(go);
    else
      giveUp(
        new NfError("rpc.busy", `${this.#limits.queued} requests wait to be sent, which is all that may`, {
          given: name,
          allowed: `${this.#limits.requests} under way and ${this.#limits.queued} waiting`,
          fix: "Try again later.",
        }),
      );
    const grant = (items: number): void => {
      if (id !== undefined && this.#pending.has(id)) this.#wire.send({ t: "credit", id, items });
    };
    return { giveUp, grant };
  }

  #answered(id: number): Pending {
    const pending = this.#pending.get(id);
    if (!pending) throw breach(`an answer to request ${id}, which is not under way`);
    this.#pending.delete(id);
    for (const go of this.#queue) {
      if (this.#pending.size >= this.#limits.requests) break;
      go();
    }
    return pending;
  }

  #inletOf(id: number): Inlet<unknown, unknown> {
    const inlet = this.#pending.get(id)?.inlet;
    if (!inlet) throw breach(`an item of request ${id}, which is no stream under way`);
    return inlet;
  }

  #settle(name: string, schema: z.ZodType, value: unknown, done: (value: unknown) => void, fail: (why: NfError) => void): void {
    try {
      done(this.#checked(name, schema, value));
    } catch (error) {
      fail(error as NfError);
    }
  }

  #checked(name: string, schema: z.ZodType, value: unknown): unknown {
    const checked = tolerant(schema).safeParse(value);
    if (checked.success) return checked.data;
    throw new NfError("rpc.result", `the other side's answer to '${name}' is not what it should be: ${firstIssue(checked.error)}`);
  }
}

interface Starting {
  readonly name: string;
  readonly params: unknown;
  readonly key: string | undefined;
  readonly deadlineMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly credit?: number;
  readonly inlet?: Inlet<unknown, unknown>;
  readonly done: (value: unknown) => void;
  readonly fail: (why: NfError) => void;
}

interface Started {
  readonly giveUp: (why: NfError) => void;
  readonly grant: (items: number) => void;
}
