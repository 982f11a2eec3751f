/**
 * Streams as answers: server-sent events, lines of JSON, or bytes. Nothing is queued for a reader: the next item is asked for when the last one was taken, so
 * who is slow lags behind in the source, which says what that costs, and who takes nothing at all is given up.
 *
 * What fails before a stream has begun is an answer of its own, with its status. Afterwards it is the last item: `error`. A stream that the server ends has
 * `end` as its last item. One that just stops was cut off.
 */
import type { ServerResponse } from "node:http";
import { NfError } from "@nfactor/sdk/errors";
import type { Clock } from "../store/index.ts";
import { asNfError, errorAnswer, statusOf } from "./error_answer.ts";
import type { RestLimits } from "./limits.ts";
import type { Form, Services, StreamItem } from "./route.ts";
import type { Caller } from "./tokens.ts";

/** How many there are, and whose. */
export class StreamSlots {
  readonly #limits: RestLimits;
  readonly #byToken = new Map<string, number>();
  #all = 0;

  constructor(limits: RestLimits) {
    this.#limits = limits;
  }

  get taken(): number {
    return this.#all;
  }

  /** Returns what gives it back. Throws NfError (rest.busy). */
  take({ id, label }: Pick<Caller, "id" | "label">): () => void {
    const { streams, streamsPerToken } = this.#limits;
    const mine = this.#byToken.get(id) ?? 0;
    const [given, allowed, whose] = this.#all >= streams ? [this.#all, streams, ""] : [mine, streamsPerToken, ` of token ${label}`];
    if (given >= allowed)
      throw new NfError("rest.busy", `${given} streams, and operations that nobody waits for,${whose} are under way`, {
        given: String(given),
        allowed: `${allowed} at a time`,
        fix: "End one of them, or try again.",
      });
    this.#all += 1;
    this.#byToken.set(id, mine + 1);
    return () => {
      this.#all -= 1;
      const left = this.#byToken.get(id)! - 1;
      if (left > 0) this.#byToken.set(id, left);
      else this.#byToken.delete(id);
    };
  }
}

export const SSE = "text/event-stream";
export const NDJSON = "application/x-ndjson";

/** Bytes become base64: frames of a trace. A Buffer makes an object of itself before a replacer sees it, so that looks at what is replaced. */
const text = (data: unknown): string =>
  JSON.stringify(data, function (this: Record<string, unknown>, key: string, value: unknown): unknown {
    const bytes = this[key];
    return bytes instanceof Uint8Array ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64") : value;
  });

function encode(form: Form, { event, id, data }: StreamItem): string {
  if (form === "ndjson") return `${text({ event, ...(id !== undefined && { id }), data })}\n`;
  return `${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${text(data)}\n\n`;
}

/** Tells a reader of either form that the connection lives. Readers of lines skip empty ones. */
const heartbeat = (form: Form): string => (form === "sse" ? ": alive\n\n" : "\n");

type Next<T> = { readonly result: IteratorResult<T> } | "closing" | "heartbeat" | "gone";

/** Why a stream that was begun has ended. */
export type StreamEnd = "done" | "error" | "closing" | "gone" | "slow";

export interface StreamOptions {
  readonly res: ServerResponse;
  readonly services: Services;
  readonly headers: Readonly<Record<string, string>>;
}

/** Throws what the source throws before the stream has begun; nothing was sent then. */
export async function sendItems(items: AsyncIterable<StreamItem>, form: "sse" | "ndjson", options: StreamOptions): Promise<StreamEnd> {
  const writer = new Writer(options, form === "sse" ? SSE : NDJSON);
  return send(items, options, writer, {
    encode: (item) => encode(form, item),
    heartbeat: heartbeat(form),
    last: (why, error) =>
      error
        ? encode(form, { event: "error", data: { status: statusOf(error.code), ...errorAnswer(error) } })
        : encode(form, { event: "end", data: { reason: why } }),
  });
}

/** Bytes have no room for words: what fails after the beginning ends the connection, without the last chunk, so that nobody takes it for whole. */
export async function sendChunks(chunks: AsyncIterable<Uint8Array>, type: string, options: StreamOptions): Promise<StreamEnd> {
  const writer = new Writer(options, type);
  return send(chunks, options, writer, { encode: (chunk) => chunk, heartbeat: undefined, last: (_, error) => (error ? undefined : "") });
}

interface Coding<T> {
  encode(item: T): string | Uint8Array;
  readonly heartbeat: string | undefined;
  /** Undefined: cut it off. */
  last(why: StreamEnd, error?: NfError): string | undefined;
}

async function send<T>(source: AsyncIterable<T>, { services }: StreamOptions, writer: Writer, coding: Coding<T>): Promise<StreamEnd> {
  const { limits, clock, closing, log } = services;
  const iterator = source[Symbol.asyncIterator]();
  let isOver = false;
  try {
    let pending = iterator.next();
    for (;;) {
      const wait = writer.hasBegun ? limits.heartbeatMs : limits.streamBeginsMs;
      const next = await soonest(pending, writer, closing, clock, wait);
      if (next === "gone") return "gone";
      if (next === "closing") return writer.end(coding.last("closing"), "closing");
      if (next === "heartbeat") {
        if (!writer.hasBegun) writer.begin();
        else if (coding.heartbeat !== undefined && !(await writer.write(coding.heartbeat))) return writer.giveUp();
        continue;
      }
      if (next.result.done === true) {
        isOver = true;
        return writer.end(coding.last("done"), "done");
      }
      if (!(await writer.write(coding.encode(next.result.value)))) return writer.giveUp();
      pending = iterator.next();
    }
  } catch (thrown) {
    isOver = true;
    if (!writer.hasBegun) throw thrown;
    return writer.end(coding.last("error", asNfError(thrown, log)), "error");
  } finally {
    // It may be waiting for its next item, and so is not waited for itself.
    if (!isOver) void Promise.resolve(iterator.return?.()).catch(() => undefined);
  }
}

function soonest<T>(pending: Promise<IteratorResult<T>>, writer: Writer, closing: AbortSignal, clock: Clock, ms: number): Promise<Next<T>> {
  return new Promise((done, fail) => {
    const stop = (): void => {
      cancel();
      closing.removeEventListener("abort", onClosing);
      writer.onGone = undefined;
    };
    const settle = (next: Next<T>): void => {
      stop();
      done(next);
    };
    const onClosing = (): void => settle("closing");
    const cancel = clock.after(ms, () => settle("heartbeat"));
    closing.addEventListener("abort", onClosing);
    writer.onGone = () => settle("gone");
    pending.then(
      (result) => settle({ result }),
      (error: unknown) => {
        stop();
        fail(error instanceof Error ? error : new Error(String(error)));
      },
    );
    if (writer.isGone) settle("gone");
    else if (closing.aborted) settle("closing");
  });
}

class Writer {
  readonly #res: ServerResponse;
  readonly #type: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #stallMs: number;
  readonly #clock: Clock;
  hasBegun = false;
  onGone: (() => void) | undefined;

  constructor({ res, services, headers }: StreamOptions, type: string) {
    this.#res = res;
    this.#type = type;
    this.#headers = headers;
    this.#stallMs = services.limits.stallMs;
    this.#clock = services.clock;
    res.once("close", () => this.onGone?.());
  }

  get isGone(): boolean {
    return this.#res.destroyed || this.#res.closed;
  }

  begin(): void {
    this.hasBegun = true;
    this.#res.writeHead(200, { ...this.#headers, "content-type": this.#type, "x-accel-buffering": "no" });
    this.#res.flushHeaders();
  }

  /** Resolves when there is room for more; false when there was none for too long, or nobody is there any more. */
  write(bytes: string | Uint8Array): Promise<boolean> {
    if (!this.hasBegun) this.begin();
    if (this.isGone) return Promise.resolve(false);
    if (this.#res.write(bytes)) return Promise.resolve(true);
    return new Promise((done) => {
      const settle = (isFine: boolean): void => {
        cancel();
        this.#res.off("drain", onDrain).off("close", onClose);
        done(isFine);
      };
      const onDrain = (): void => settle(true);
      const onClose = (): void => settle(false);
      const cancel = this.#clock.after(this.#stallMs, () => settle(false));
      this.#res.on("drain", onDrain).on("close", onClose);
    });
  }

  end(last: string | undefined, why: StreamEnd): StreamEnd {
    if (!this.hasBegun) this.begin();
    if (last === undefined) this.#res.destroy();
    else this.#res.end(last);
    return why;
  }

  giveUp(): StreamEnd {
    const why = this.isGone ? "gone" : "slow";
    this.#res.destroy();
    return why;
  }
}
