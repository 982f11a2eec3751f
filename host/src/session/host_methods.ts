/** What a host serves to its controller, and the controller to hosts. A method is a line here; who lacks a handler for it does not compile. */
import { z } from "zod";
import { PEERS_MAX, peerChangeFields, peerSchema } from "../config/peer.ts";
import { deployedEntrySchema, deploymentName, deploymentSpecSchema, deploymentStatusSchema, digestSchema } from "../daemon/deployment_spec.ts";
import { hide } from "../rpc/hidden.ts";
import {
  addRuntimeResult,
  configurePeersResult,
  drainParams,
  drainResult,
  flowsParams,
  flowsResult,
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
import { TRACE_PACKETS_MAX, TRACE_SECONDS_MAX, tracePacketSchema, traceTotalsSchema } from "../trace/packet.ts";
import { change, read, stream } from "./method.ts";

/** Moving all flows of a runtime may take long, and so may compiling an NF on a busy machine. */
const LONG_MS = 600_000;
/** Flows of one answer: what a frame has room for, with their states. */
export const FLOWS_PER_ANSWER_MAX = 2000;
/** Of one answer of `artifact`. */
export const CHUNK_BYTES_MAX = 256 * 1024;

const nothing = z.strictObject({});
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length <= CHUNK_BYTES_MAX, `bytes are expected, ${CHUNK_BYTES_MAX} at most`);
const runtimeNumber = z.int().min(1).max(65_535);
/** The secret of an agent and of the hosts that may use it. */
const agentKey = hide(z.string().regex(/^[0-9a-f]{64}$/), "a key");

export const hostInfoSchema = z.strictObject({
  name: z.string(),
  version: z.string(),
  pid: z.int(),
  cpus: z.int().min(1),
  memory_mb: z.int().min(0),
  /** Runtimes that it can run at once, of all tenants. */
  room: z.int().min(0),
  /** Where it takes runtimes of other hosts' deployments, if it does: its agent. `key`: what the other host has to show there; the controller hands it on. */
  agent: z.strictObject({ address: z.string().max(64), iface: z.string().max(15), key: agentKey }).optional(),
  interfaces: z.array(z.string().max(15)).max(256),
});
export const deployResult = z.strictObject({
  deployment: deploymentName,
  dry_run: z.boolean(),
  /** What it does to what runs: `swap` is of entries, and ends no flow. */
  action: z.enum(["none", "start", "swap", "replace"]),
  flows_ended: z.int().min(0),
  duration_ms: z.number().min(0),
});
/** The story of one packet, hop by hop. */
export const traceItem = tracePacketSchema;
/** PEM of one certificate or request. */
const pem = hide(z.string().max(4096), "PEM");
const authorities = z.array(pem).min(1).max(4);

const of = { deployment: deploymentName };
/** What packets meet on their way, or bytes of a pcapng file: see host/src/trace. */
const traceParams = z.strictObject({
  ...of,
  /** Words that all have to match, as for `flows`. */
  match: z.array(z.string().max(200)).max(20),
  packets: z.int().min(1).max(TRACE_PACKETS_MAX),
  seconds: z.int().min(1).max(TRACE_SECONDS_MAX),
});

/** With the paper's names where it has names. */
export const HOST_METHODS = {
  info: read(nothing, hostInfoSchema),
  /** All that the host has, whether it was asked for or not. */
  deployments: read(nothing, z.strictObject({ deployments: z.array(deploymentStatusSchema) })),
  /** Runs it, and goes on doing so. What runs under the name already has to be of the same shape (ports, entries), or `replace` says that its flows may end. */
  deploy: change(z.strictObject({ ...of, revision: z.int().min(0), spec: deploymentSpecSchema, replace: z.boolean(), dry_run: z.boolean() }), deployResult, {
    deadlineMs: LONG_MS,
  }),
  undeploy: change(z.strictObject({ ...of, dry_run: z.boolean() }), z.strictObject({ deployment: deploymentName, flows_ended: z.int().min(0) }), {
    deadlineMs: 60_000,
  }),
  /** Load, flows and losses of each runtime. */
  poll_load: read(z.strictObject(of), runtimesResult),
  /** The same of all deployments, again and again. A slow reader misses some, and is told how many. */
  watch_load: stream(z.strictObject({ every_ms: z.int().min(100).max(60_000) }), runtimesResult.extend(of), nothing),
  flows: read(flowsParams.extend({ ...of, limit: z.int().min(1).max(FLOWS_PER_ANSWER_MAX) }), flowsResult, { deadlineMs: 60_000 }),
  /** Other hosts that runtimes of this deployment may be on: all of them from now on. One without a key keeps the one that it has. */
  configure_peers: change(z.strictObject({ ...of, peers: z.array(peerSchema).max(PEERS_MAX), ...peerChangeFields }), configurePeersResult),
  /** `at`: name of a peer; this host otherwise. */
  add_runtime: change(z.strictObject({ ...of, at: z.string().max(64).optional() }), addRuntimeResult, { deadlineMs: 60_000 }),
  remove_runtime: change(removeRuntimeParams.extend(of), removeRuntimeResult, { deadlineMs: 60_000 }),
  migrate_flows: change(migrateParams.extend(of), migrateResult, { deadlineMs: LONG_MS }),
  drain: change(drainParams.extend(of), drainResult, { deadlineMs: LONG_MS }),
  undrain: change(undrainParams.extend(of), undrainResult),
  /** Which runtimes keep the replicas of this one's flows, as long as one of them lives. Empty: any. */
  set_replication_target: change(z.strictObject({ ...of, runtime: runtimeNumber, targets: z.array(runtimeNumber).max(15) }), nothing),
  recover: change(recoverParams.extend(of), recoverResult, { deadlineMs: 60_000 }),
  /** The host asks for the artifact, if it has none of this digest. */
  swap: change(swapParams.pick({ entry: true, dry_run: true }).extend({ ...of, revision: z.int().min(0), next: deployedEntrySchema }), swapResult, {
    deadlineMs: LONG_MS,
  }),
  trace: stream(traceParams, traceItem, traceTotalsSchema),
  /** Parts of a pcapng file, in order. */
  capture: stream(traceParams.extend({ point: z.string().max(80) }), bytes, traceTotalsSchema),
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
  join: read(
    z.strictObject({ token: hide(z.string().max(256), "a token"), request: pem }),
    z.strictObject({ host: z.string().max(64), certificate: pem, authorities }),
  ),
};
