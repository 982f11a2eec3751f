/**
 * What one side of a session serves: a table of methods with the schemas of what goes in and comes out. A new one is a line in such a table; both ends
 * take types and checks from it.
 */
import type { z } from "zod";

/** One request, one answer. */
export interface CallMethod<P extends z.ZodType = z.ZodType, R extends z.ZodType = z.ZodType> {
  readonly kind: "call";
  readonly params: P;
  readonly result: R;
  /** How long the caller waits when it does not say. */
  readonly deadlineMs: number;
  /** It changes something, so it is asked for under an idempotency key, and done once however often it is asked for. */
  readonly keyed: boolean;
}

/** One request, items until its server or its reader ends it, an answer. */
export interface StreamMethod<P extends z.ZodType = z.ZodType, I extends z.ZodType = z.ZodType, R extends z.ZodType = z.ZodType> {
  readonly kind: "stream";
  readonly params: P;
  readonly item: I;
  readonly result: R;
}

export type Method = CallMethod | StreamMethod;
export type Methods = Readonly<Record<string, Method>>;

export type CallName<M extends Methods> = { [N in keyof M]: M[N] extends CallMethod ? N : never }[keyof M] & string;
export type StreamName<M extends Methods> = { [N in keyof M]: M[N] extends StreamMethod ? N : never }[keyof M] & string;
export type ParamsOf<M extends Method> = z.output<M["params"]>;
export type ResultOf<M extends Method> = z.output<M["result"]>;
export type ItemOf<M extends Method> = M extends StreamMethod ? z.output<M["item"]> : never;

const DEADLINE_MS = 10_000;

/** May be asked again at any time: it only looks, or is the same the second time. */
export function read<P extends z.ZodType, R extends z.ZodType>(params: P, result: R, { deadlineMs = DEADLINE_MS } = {}): CallMethod<P, R> {
  return { kind: "call", params, result, deadlineMs, keyed: false };
}

/** Changes something, once for each key. */
export function change<P extends z.ZodType, R extends z.ZodType>(params: P, result: R, { deadlineMs = DEADLINE_MS } = {}): CallMethod<P, R> {
  return { kind: "call", params, result, deadlineMs, keyed: true };
}

export function stream<P extends z.ZodType, I extends z.ZodType, R extends z.ZodType>(params: P, item: I, result: R): StreamMethod<P, I, R> {
  return { kind: "stream", params, item, result };
}

/** Who asks. */
export interface Peer {
  readonly name: string;
  /** Of its software, in words. */
  readonly software: string;
  /** Another one means that the process at the other end was started anew, and remembers no keys. */
  readonly life: string;
  /** Of its certificate, where there is one. */
  readonly serial?: string | undefined;
}

export interface Request {
  readonly peer: Peer;
  /**
   * Aborted when the answer is of no use any more: the deadline has passed, the caller has called it off or is gone. The reason is the NfError to throw.
   * What is done under a key goes on without its caller until its deadline.
   */
  readonly signal: AbortSignal;
  readonly key: string | undefined;
}

/** Where the items of a stream go. */
export interface Sink<I> {
  /** For events: never waits. False when the reader is so slow that the item is lost; the reader is told where, and how many. */
  offer(item: I): boolean;
  /** For data: resolves when there is room for the next one. Rejects when the stream has ended. */
  send(item: I): Promise<void>;
}

export type Handler<M extends Method> = M extends StreamMethod
  ? (params: ParamsOf<M>, sink: Sink<ItemOf<M>>, request: Request) => Promise<ResultOf<M>>
  : (params: ParamsOf<M>, request: Request) => Promise<ResultOf<M>>;

/** One for each method. */
export type Handlers<M extends Methods> = { readonly [N in keyof M]: Handler<M[N]> };
