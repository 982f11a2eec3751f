/**
 * What supervisor and member say to each other (dataplane-native/src/nfactord/README.md): one JSON object a line. Every answer and event is checked against
 * these schemas, which also turn decimal strings into bigints and hex into bytes. What a newer member says beyond them is ignored.
 */
import { z } from "zod";
import { amount, big, hex } from "../dataplane/json_values.ts";
import type { CountersSnapshot, FlowsPage, NativeEvent, NativeFlow, OperationReport, RunReport, RuntimeStatus, SwapReport } from "../dataplane/native_types.ts";
import { MOVE_REFUSALS } from "../result/runtimes_result.ts";
import { traceReadAnswer } from "../trace/records.ts";

const member = z.int().min(0).max(15);
const incarnation = z.int().min(0).max(0xffffffff);
const byName = z.record(z.string(), big);

const endpoint = z.object({ address: z.string(), port: amount });
const flowKey = { protocol: amount, ipVersion: amount, initiator: endpoint, responder: endpoint, vlan: z.array(amount) };
const pair = z.tuple([big, big]);
const flow = z.object({
  ...flowKey,
  flowId: big,
  runtime: amount,
  packets: pair,
  bytes: pair,
  startNs: big,
  lastSeenNs: big,
  phase: z.enum(["opening", "open", "closing", "refused", "none"]),
  closeReason: amount.optional(),
  states: z.array(hex),
}) satisfies z.ZodType<NativeFlow>;

const counters = z.object({
  nowNs: big,
  received: big,
  receivedBytes: big,
  sent: big,
  sentBytes: big,
  missed: big,
  emitted: big,
  held: big,
  dropped: byName,
  flowsOpen: amount,
  flowsOpened: big,
  flowsEnded: big,
  eventsLost: big,
  nfs: z.array(z.object({ entry: z.string(), version: z.string(), faults: big, quarantined: z.boolean(), counters: byName })),
}) satisfies z.ZodType<CountersSnapshot>;

/** Traffic is read from the counter file, where it is by reason too. */
const runtimeStatus = z.object({
  runtime: amount,
  lcore: amount,
  draining: z.boolean(),
  flowsOpen: amount,
  received: big,
  sent: big,
  dropped: big,
  held: big,
  receivedBytes: big.default(0n),
  sentBytes: big.default(0n),
  drops: byName.default({}),
  movedIn: big,
  movedOut: big,
  migrations: amount,
  busyNs: big,
  queued: amount,
  nfAsked: big,
  nfMoves: big,
  nfMovesFailed: big,
  arrivalsRefused: big,
  missed: big,
  /** Members that were started by an older version do not say it. */
  runtimeFull: big.default(0n),
  replicas: amount,
  unprotected: amount,
  replicationLag: amount,
  relayed: big,
  recovered: big,
  stateLost: big,
  refusedMessages: big,
  /** Of a vswitch, since it was started. */
  delay: z.object({ counts: z.array(big).max(64), sumNs: big }).optional(),
}) satisfies z.ZodType<RuntimeStatus>;

const operation = z.object({
  moved: amount,
  failed: amount,
  reason: z.enum(MOVE_REFUSALS),
  drained: z.boolean(),
  undrained: z.boolean(),
  durationNs: big,
}) satisfies z.ZodType<OperationReport>;

const problem = z.object({ code: z.string().max(64), message: z.string().max(16_384) });
const report = z.object({ counters, error: problem.optional() }) satisfies z.ZodType<RunReport>;

/** Answers by what was asked. */
export const ANSWERS = {
  status: z.object({
    member,
    incarnation,
    term: amount,
    pid: z.int().min(1),
    members: z.array(z.object({ member, incarnation, isUp: z.boolean(), link: z.enum(["none", "waiting", "up"]) })),
    /** Of a runtime: where its replicas are to be. */
    homes: z.array(member).optional(),
    /** Of a runtime: what it runs. Those that were started by an older version do not say it. */
    chain: z.array(z.object({ entry: z.string(), version: z.string(), digest: z.string(), mark: z.string().default("") })).optional(),
  }),
  link: z.object({}),
  member_up: z.object({}),
  member_down: z.object({}),
  exclude: z.object({}),
  homes: z.object({}),
  undrain: z.object({}),
  /** `full`, of the vswitch: packets that found the queue of a runtime full, by its number. */
  runtimes: z.object({ runtimes: z.array(runtimeStatus), full: byName.default({}) }),
  counters: z.object({ counters, link: byName.default({}) }),
  migrate: operation,
  drain: operation,
  flows: z.object({ flows: z.array(flow), next: amount.optional() }) satisfies z.ZodType<FlowsPage>,
  swap: z.object({ pauseNs: big, burstNs: big, prepareMs: z.number().min(0), flows: amount, packetsDropped: big }) satisfies z.ZodType<SwapReport>,
  trace_start: z.object({}),
  trace_read: traceReadAnswer,
  trace_stop: z.object({}),
  stop: z.object({ report }),
} as const;
export type Asked = keyof typeof ANSWERS;
export type Answer<A extends Asked> = z.output<(typeof ANSWERS)[A]>;

const nativeEvent = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("fault"),
    entry: z.string(),
    name: z.string(),
    version: z.string(),
    digest: z.string(),
    kind: amount,
    message: z.string(),
    file: z.string(),
    line: amount,
    column: amount,
    backtrace: z.array(amount),
    call: z.string(),
    flow: z.object(flowKey).optional(),
    sequence: amount.optional(),
    action: z.enum(["drop", "close_flow", "bypass", "none"]),
    packetsDropped: amount,
    faultsInMinute: amount,
    nowNs: big,
  }),
  z.object({ type: z.literal("log"), entry: z.string(), level: amount, text: z.string(), lost: amount, nowNs: big }),
  z.object({ type: z.literal("quarantine"), entry: z.string(), mode: z.enum(["closed", "open"]), faults: amount, nowNs: big }),
  z.object({ type: z.literal("flow_ended"), flow }),
]) satisfies z.ZodType<NativeEvent>;

export const memberEventSchema = z.discriminatedUnion("event", [
  z.object({ event: z.literal("ready"), member, incarnation }),
  z.object({ event: z.literal("link"), member, incarnation, up: z.boolean() }),
  z.object({ event: z.literal("member_lost"), member, incarnation, why: z.string().max(200) }),
  z.object({ event: z.literal("nf"), of: nativeEvent }),
  z.object({ event: z.literal("ended"), error: problem.optional() }),
]);
export type MemberEvent = z.output<typeof memberEventSchema>;

export const answerSchema = z.union([z.object({ id: z.int(), ok: z.unknown() }), z.object({ id: z.int(), error: problem })]);

/** Bigints as decimal strings, bytes as hex: what goes out. */
export function packLine(message: object): string {
  const text = JSON.stringify(message, (_, value: unknown) =>
    typeof value === "bigint" ? value.toString() : value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value,
  );
  return `${text}\n`;
}
