/** What a host serves to its controller, and the controller to hosts. A method is a line here; who lacks a handler for it does not compile. */
import { z } from "zod";
import { grantSchema } from "../config/host_config.ts";
import {
  addRuntimeResult,
  drainParams,
  drainResult,
  flowsParams,
  flowsResult,
  infoResult,
  migrateParams,
  migrateResult,
  recoverParams,
  recoverResult,
  removeRuntimeParams,
  removeRuntimeResult,
  runtimesResult,
  swapParams,
  swapResult,
  undrainParams,
  undrainResult,
} from "../rpc/protocol.ts";
import { change, read, stream } from "./method.ts";

/** Moving all flows of a runtime may take long, and so may compiling an NF on a busy machine. */
const LONG_MS = 600_000;
/** Flows of one answer: what a frame has room for, with their states. */
export const FLOWS_PER_ANSWER_MAX = 2000;
/** Of one answer of `artifact`. */
export const CHUNK_BYTES_MAX = 256 * 1024;

const nothing = z.strictObject({});
/** SHA-256 of the artifact's bytes. */
export const digestSchema = z.string().regex(/^[0-9a-f]{64}$/, "64 hex digits are expected");
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length <= CHUNK_BYTES_MAX, `bytes are expected, ${CHUNK_BYTES_MAX} at most`);
/** PEM of one certificate or request. */
const pem = z.string().max(4096);
const authorities = z.array(pem).min(1).max(4);

/** With the paper's names where it has names. */
export const HOST_METHODS = {
  info: read(nothing, infoResult),
  /** Load, flows and losses of each runtime. */
  poll_load: read(nothing, runtimesResult),
  /** The same, again and again. A slow reader misses some, and is told how many. */
  watch_load: stream(z.strictObject({ every_ms: z.int().min(100).max(60_000) }), runtimesResult, nothing),
  flows: read(flowsParams.extend({ limit: z.int().min(1).max(FLOWS_PER_ANSWER_MAX) }), flowsResult, { deadlineMs: 60_000 }),
  add_runtime: change(nothing, addRuntimeResult, { deadlineMs: 60_000 }),
  remove_runtime: change(removeRuntimeParams, removeRuntimeResult, { deadlineMs: 60_000 }),
  migrate_flows: change(migrateParams, migrateResult, { deadlineMs: LONG_MS }),
  drain: change(drainParams, drainResult, { deadlineMs: LONG_MS }),
  undrain: change(undrainParams, undrainResult),
  recover: change(recoverParams, recoverResult, { deadlineMs: 60_000 }),
  /** The host asks for the artifact, if it has none of this digest. */
  swap: change(swapParams.pick({ entry: true, config: true, dry_run: true }).extend({ artifact: digestSchema, grant: grantSchema.optional() }), swapResult, {
    deadlineMs: LONG_MS,
  }),
};

/** Served to whoever has a certificate, or is on the same machine. */
export const CONTROLLER_METHODS = {
  /** For `ttl_seconds` the host counts as there. `authorities` is the digest of those that it should trust: another one than its own means `renew`. */
  keep_alive: read(nothing, z.strictObject({ ttl_seconds: z.int().min(1), authorities: digestSchema })),
  /** Another certificate, for a key of its own. */
  renew: change(z.strictObject({ request: pem }), z.strictObject({ certificate: pem, authorities })),
  /** Part of an NF's artifact; an empty one at its end. */
  artifact: read(
    z.strictObject({ digest: digestSchema, offset: z.int().min(0), length: z.int().min(1).max(CHUNK_BYTES_MAX) }),
    z.strictObject({ total: z.int().min(0), bytes }),
  ),
};

/** Served to whoever connects: the only thing that can be asked for without a certificate. */
export const GUEST_METHODS = {
  /** The first certificate, for a token. The same token and key get the same answer, so that it may be asked for again. */
  join: read(z.strictObject({ token: z.string().max(256), request: pem }), z.strictObject({ host: z.string().max(64), certificate: pem, authorities })),
};
