/**
 * What goes over a host's control socket, version 1: one request, one response, in frames (frame.ts). A connection may send several requests, one
 * after the other. Both ends check every message against these schemas: requests strictly, answers as tolerant.ts says.
 */
import { NfError } from "@nfactor/sdk/errors";
import { ERROR_CODES, type ErrorCode } from "@nfactor/sdk/error_codes";
import { z } from "zod";
import { grantSchema } from "../config/host_config.ts";
import { PEERS_MAX, peerChangeFields, peerSchema } from "../config/peer.ts";
import { flowSchema } from "../result/run_result.ts";
import { nfHealthSchema, operationFields, runtimeSchema } from "../result/runtimes_result.ts";
import { FRAME_BYTES_MAX, TRACE_PACKETS_MAX, TRACE_SECONDS_MAX, tracePacketSchema, traceTotalsSchema } from "../trace/packet.ts";
import { peerErrorSchema } from "./peer_error.ts";

export const PROTOCOL_VERSION = 1;
export const FLOWS_LIMIT_MAX = 10_000;
/** --flow of one migration, at most. */
export const FLOW_MATCHES_MAX = 100;

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, "bytes are expected");

/** Words that all have to match, see flow_match.ts. */
const match = z.array(z.string().max(200)).max(20);
const runtime = z.int().min(0).max(65_535);

export const flowsParams = z.strictObject({
  match,
  limit: z.int().min(1).max(FLOWS_LIMIT_MAX),
  /** Only those of this runtime. */
  runtime: runtime.optional(),
});
export const flowsResult = z.strictObject({
  flows: z.array(flowSchema.extend({ runtime: runtime.optional().describe("Who has it, when the host has several runtimes.") })),
  /** Flows that were looked at. */
  seen: z.int().min(0),
  /** There may be more matching flows than `limit`. */
  more: z.boolean(),
});

export const swapParams = z.strictObject({
  entry: z.string().max(64),
  artifact: bytes,
  source_map: bytes.optional(),
  /** How messages name the NF's files. */
  folder: z.string().max(4096),
  /** New configuration, the text of a YAML file; left out: the entry's present one. */
  config: z.strictObject({ file: z.string().max(4096), text: z.string().max(4 << 20) }).optional(),
  /** New grant; left out: the entry's present one. */
  grant: grantSchema.optional(),
  dry_run: z.boolean(),
});
const versionOf = z.strictObject({ name: z.string(), version: z.string(), digest: z.string() });
export const swapResult = z.strictObject({
  entry: z.string(),
  dry_run: z.boolean(),
  from: versionOf,
  to: versionOf,
  flows: z.int().min(0).describe("Flows whose state the new version took over."),
  pause_ns: z.int().min(0).describe("From the burst boundary of the swap to the first burst of the new version."),
  burst_ns: z.int().min(0).describe("An ordinary burst, for comparison."),
  prepare_ms: z.number().min(0).describe("Admission, compilation and instantiation, off the packet path."),
  packets_dropped: z.int().min(0).describe("Packets dropped by the swap."),
});

export const infoResult = z.strictObject({
  name: z.string(),
  pid: z.int(),
  version: z.string(),
  chain: z.array(z.strictObject({ entry: z.string(), nf: z.string(), version: z.string(), digest: z.string() })),
});

export const runtimesResult = z.strictObject({
  at_us: z.int().min(0),
  runtimes: z.array(runtimeSchema),
  nfs: z.array(nfHealthSchema).max(64).optional().describe("The NFs of the chain."),
});

/** `at`: name of a peer, or address of an agent that the host was started with; this machine otherwise. */
export const addRuntimeParams = z.strictObject({ at: z.string().max(64).optional() });
export const addRuntimeResult = z.strictObject({
  runtime,
  lcore: z.int().min(0),
  pid: z.int().min(1).optional().describe("Of its process, when it has one of its own."),
});
export const removeRuntimeParams = z.strictObject({ runtime, force: z.boolean(), dry_run: z.boolean() });
export const removeRuntimeResult = z.strictObject({
  runtime,
  dry_run: z.boolean(),
  flows_ended: z.int().min(0).describe("Flows that it had, which ended with it."),
});

export const migrateParams = z.strictObject({
  from: runtime,
  to: runtime,
  flows: z.union([
    z.strictObject({
      count: z
        .int()
        .min(1)
        .max(2 ** 32 - 1),
    }),
    z.strictObject({ all: z.literal(true) }),
    z.strictObject({ match: z.array(match).min(1).max(FLOW_MATCHES_MAX) }),
  ]),
  dry_run: z.boolean(),
});
export const migrateResult = z.strictObject({ from: runtime, to: runtime, ...operationFields });

export const drainParams = z.strictObject({ runtime, to: z.array(runtime).max(16), dry_run: z.boolean() });
export const drainResult = z.strictObject({ runtime, to: z.array(runtime).describe("Where the flows go, in turn."), ...operationFields });
export const undrainParams = z.strictObject({ runtime });
export const undrainResult = z.strictObject({ runtime, was_draining: z.boolean() });

/** Where the replicas of its flows are to be, as long as one of these can keep them. Empty: anywhere. */
export const setReplicationTargetParams = z.strictObject({ runtime, targets: z.array(runtime).max(15) });

export const peersResult = z.strictObject({
  peers: z.array(
    z.strictObject({
      name: z.string().optional().describe("Left out: an agent that the host was started with."),
      address: z.string(),
      iface: z.string().describe("Interface of this machine, towards it."),
      runtimes: z.array(runtime).describe("Those that are there."),
      reachable: z.boolean().optional().describe("Left out: no runtimes are there, so nobody is connected."),
    }),
  ),
});
/** All of them, from now on. */
export const configurePeersParams = z.strictObject({ peers: z.array(peerSchema).max(PEERS_MAX), ...peerChangeFields });
export const configurePeersResult = z.strictObject({
  peers: z.int().min(0),
  used: z.array(z.string()).optional().describe("Others that stay peers until their runtimes are removed."),
});

export const recoverParams = z.strictObject({ runtime, dry_run: z.boolean() });
export const recoverResult = z.strictObject({
  runtime,
  dry_run: z.boolean(),
  flows: z.int().min(0).describe("That it had."),
  recovered: z.int().min(0).describe("Flows that go on from their replicas; of a dry run: that have one."),
  lost: z.int().min(0).describe("Flows whose state is lost; their next packets open new ones."),
  duration_ns: z.int().min(0).describe("From the order until the last of them was recovered; 0 for a dry run."),
  restarts: z.boolean().describe("Its process is started again. Else the runtime is gone."),
});

export const traceStartParams = z.strictObject({
  /** As for `flows`, but for fields of states. */
  match,
  packets: z.int().min(1).max(TRACE_PACKETS_MAX),
  seconds: z.int().min(1).max(TRACE_SECONDS_MAX),
  /** Of a frame that are kept. */
  frame_bytes: z.int().min(0).max(FRAME_BYTES_MAX),
  /** A capture: `client`, `server`, `<entry>:in`, `<entry>:out`. */
  point: z.string().max(80).optional(),
});
/** For the calls that follow. */
const traceNumber = z.int().min(1);
export const traceReadParams = z.strictObject({
  trace: traceNumber,
  /** So long it waits for something to tell. */
  wait_ms: z.int().min(0).max(2000),
});
export const traceReadResult = z.strictObject({
  packets: z.array(tracePacketSchema),
  totals: traceTotalsSchema,
  /** There is no more, and the trace has ended. */
  done: z.boolean(),
});

/** `alone`: one after the other, since it changes what the host consists of. All others are served at any time, however long they take. */
export const METHODS = {
  info: { params: z.strictObject({}), result: infoResult, alone: false },
  flows: { params: flowsParams, result: flowsResult, alone: false },
  swap: { params: swapParams, result: swapResult, alone: true },
  runtimes: { params: z.strictObject({}), result: runtimesResult, alone: false },
  add_runtime: { params: addRuntimeParams, result: addRuntimeResult, alone: true },
  remove_runtime: { params: removeRuntimeParams, result: removeRuntimeResult, alone: true },
  migrate: { params: migrateParams, result: migrateResult, alone: false },
  drain: { params: drainParams, result: drainResult, alone: false },
  undrain: { params: undrainParams, result: undrainResult, alone: false },
  set_replication_target: { params: setReplicationTargetParams, result: z.strictObject({}), alone: false },
  peers: { params: z.strictObject({}), result: peersResult, alone: false },
  configure_peers: { params: configurePeersParams, result: configurePeersResult, alone: true },
  recover: { params: recoverParams, result: recoverResult, alone: true },
  /** One trace at a time: trace.busy. One that is not read from for 5 s ends. */
  trace_start: { params: traceStartParams, result: z.strictObject({ trace: traceNumber, entries: z.array(z.string()) }), alone: false },
  trace_read: { params: traceReadParams, result: traceReadResult, alone: false },
  /** What is known by then comes with the answer. */
  trace_stop: { params: z.strictObject({ trace: traceNumber }), result: traceReadResult.omit({ done: true }), alone: false },
} as const;
export type Method = keyof typeof METHODS;
export type Params<M extends Method> = z.output<(typeof METHODS)[M]["params"]>;
export type Result<M extends Method> = z.output<(typeof METHODS)[M]["result"]>;

export const requestSchema = z.strictObject({ v: z.int(), id: z.int().min(0), method: z.string().max(32), params: z.unknown() });
export type Request = z.output<typeof requestSchema>;

const whereSchema = z.strictObject({ file: z.string(), line: z.int().optional(), column: z.int().optional() });
export const errorSchema = z.strictObject({
  code: z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]),
  message: z.string(),
  where: whereSchema.optional(),
  given: z.string().optional(),
  allowed: z.string().optional(),
  fix: z.string().optional(),
});
export const responseSchema = z.union([
  z.object({ v: z.int(), id: z.int(), result: z.unknown() }),
  z.object({ v: z.int(), id: z.int(), error: peerErrorSchema }),
]);
export type ErrorJson = z.output<typeof errorSchema>;

/** An error as it goes over the socket or into --json. Bugs of ours keep only their message. */
export function errorJson(error: unknown): ErrorJson {
  if (!(error instanceof NfError)) return { code: "internal", message: error instanceof Error ? error.message : String(error) };
  const { code, message, where, given, allowed, fix } = error;
  return JSON.parse(JSON.stringify({ code, message, where, given, allowed, fix })) as ErrorJson;
}
