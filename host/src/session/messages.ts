/**
 * What controller and hosts tell each other, in frames (../rpc/frame.ts), over any connection that keeps bytes in order.
 *
 * Whoever has connected says `hello`, the other one `welcome`. After that both may ask, and each numbers its own requests upwards. `request`, `cancel` and
 * `credit` are about the sender's own requests, `item`, `gap`, `result` and `error` about the receiver's. Each request is answered by one `result` or `error`,
 * also after a `cancel`. Greetings and `bye` stay readable for all versions: they may get more fields, none goes.
 *
 * Within a version what answers may get more fields, which older readers leave out, and what asks may not: docs/adr/0022 has the rules.
 */
import { z } from "zod";
import type { FrameFormat } from "../rpc/frame.ts";
import { peerErrorSchema as error } from "../rpc/peer_error.ts";

/** Versions of everything but the greetings. The highest that both ends have is spoken. */
export interface VersionRange {
  readonly min: number;
  readonly max: number;
}
export const VERSIONS: VersionRange = { min: 1, max: 1 };

const BASE = { depth: 32, bigInts: false, code: "rpc.frame" } as const;
/** Of a greeting, when nobody knows yet who it is. */
export const GREETING_FRAME: FrameFormat = { ...BASE, bytes: 16 * 1024, values: 256, on: "a connection that has only begun" };
export const FRAME: FrameFormat = { ...BASE, bytes: 4 << 20, values: 262_144, on: "the connection between controller and host" };
/** Of one item of a stream; a stream's buffers are so many at the most. */
export const ITEM_BYTES_MAX = 256 * 1024;
export const KEY_LENGTH_MAX = 128;
export const METHOD_LENGTH_MAX = 64;
/** A day: nothing that is asked for over a connection takes longer. */
export const DEADLINE_MS_MAX = 86_400_000;
export const CREDIT_MAX = 256;

const id = z.int().min(1);
const text = (max: number): z.ZodString => z.string().max(max);
const version = z.int().min(1).max(65_535);

const greeting = {
  name: text(64),
  software: text(64),
  life: text(64).min(1),
  /** Requests of the other one that are taken at once. */
  requests: z.int().min(1).max(65_535),
};
export const hello = z.object({ t: z.literal("hello"), versions: z.object({ min: version, max: version }), ...greeting });
export const welcome = z.object({ t: z.literal("welcome"), version, ...greeting });
/** The last message of a connection; with `error` when something was wrong. */
export const bye = z.object({ t: z.literal("bye"), error: error.optional() });
export type Hello = z.output<typeof hello>;
export type Bye = z.output<typeof bye>;
/** The first message of whoever has connected, and of whom it has connected to. */
export const first = z.discriminatedUnion("t", [hello, bye]);
export const second = z.discriminatedUnion("t", [welcome, bye]);

const request = z.strictObject({
  t: z.literal("request"),
  id,
  method: text(METHOD_LENGTH_MAX),
  params: z.unknown(),
  /** From now on: clocks differ. Streams may go without. */
  deadline_ms: z.int().min(1).max(DEADLINE_MS_MAX).optional(),
  key: text(KEY_LENGTH_MAX).min(1).optional(),
  /** Items that the reader of a stream has room for. */
  credit: z.int().min(1).max(CREDIT_MAX).optional(),
});
export type RequestMessage = z.output<typeof request>;

export const message = z.discriminatedUnion("t", [
  request,
  z.strictObject({ t: z.literal("cancel"), id }),
  z.strictObject({ t: z.literal("credit"), id, items: z.int().min(1).max(CREDIT_MAX) }),
  z.object({ t: z.literal("item"), id, item: z.unknown() }),
  z.object({ t: z.literal("gap"), id, lost: z.int().min(1) }),
  z.object({ t: z.literal("result"), id, result: z.unknown() }),
  z.object({ t: z.literal("error"), id, error }),
  z.strictObject({ t: z.literal("ping"), n: z.int().min(0) }),
  z.strictObject({ t: z.literal("pong"), n: z.int().min(0) }),
  bye,
]);
export type Message = z.output<typeof message>;
