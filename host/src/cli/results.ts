/**
 * What the commands print with --json, besides the result of a run (result/run_result.ts). Published as docs/schemas/<command>.schema.json, which a
 * test compares with these.
 */
import { z } from "zod";
import { RULES, type RuleId } from "@nfactor/sdk/admission";
import { runtimeSchema } from "../result/runtimes_result.ts";
import { traceHopSchema, tracePacketSchema, traceTotalsSchema } from "../trace/packet.ts";
import {
  addRuntimeResult,
  configurePeersResult,
  drainResult,
  errorSchema,
  flowsResult,
  migrateResult,
  peersResult,
  recoverResult,
  removeRuntimeResult,
  setReplicationTargetParams,
  swapResult,
  undrainResult,
} from "../rpc/protocol.ts";

const amount = z.int().min(0);
const digest = z.string().regex(/^[0-9a-f]{64}$/);

export const initResultSchema = z.strictObject({ folder: z.string(), files: z.array(z.string()) });

export const buildResultSchema = z.strictObject({
  nfs: z.array(
    z.strictObject({
      name: z.string(),
      version: z.string(),
      path: z.string().describe("The artifact."),
      digest: digest.describe("SHA-256 of the core module."),
      bytes: amount.describe("Of the artifact."),
      core_bytes: amount.describe("Of the core module."),
      state_bytes: amount.describe("Of one flow's slot."),
      warnings: z.array(z.string()),
    }),
  ),
});

const measured = z.union([z.number(), z.string()]);
export const checkResultSchema = z.strictObject({
  ok: z.boolean(),
  nf: z.string().optional(),
  version: z.string().optional(),
  digest: digest.optional(),
  measured: z.record(z.string(), z.strictObject({ value: amount, limit: amount })).describe("What the check measured, by name of the limit."),
  refusals: z.array(
    z.strictObject({ rule: z.enum(Object.keys(RULES) as [RuleId, ...RuleId[]]), value: measured, limit: measured, message: z.string(), fix: z.string() }),
  ),
});

export const testResultSchema = z.strictObject({
  folder: z.string(),
  passed: amount,
  failed: amount,
  skipped: amount,
  tests: z.array(z.strictObject({ file: z.string(), name: z.string(), status: z.enum(["passed", "failed", "skipped"]), messages: z.array(z.string()) })),
});

export const doctorResultSchema = z.strictObject({
  ok: z.boolean(),
  requirements: z.array(
    z.strictObject({ name: z.string(), state: z.enum(["ok", "missing", "advice"]), found: z.string(), wanted: z.string(), fix: z.string() }),
  ),
});

export const flowsResultSchema = flowsResult;
export const swapResultSchema = swapResult;
export const runtimesResultSchema = z.strictObject({
  seconds: z.number().min(0).describe("The time that load and rates are of."),
  runtimes: z.array(
    runtimeSchema.extend({
      load: z.number().min(0).max(1).describe("Part of the time with work in it."),
      received_pps: z.number().min(0).describe("Packets per second."),
      sent_pps: z.number().min(0),
    }),
  ),
});
export const runtimesAddResultSchema = addRuntimeResult;
export const runtimesRemoveResultSchema = removeRuntimeResult;
export const runtimesProtectResultSchema = setReplicationTargetParams;
export const peersResultSchema = peersResult;
export const peersAddResultSchema = configurePeersResult;
export const peersRemoveResultSchema = configurePeersResult;
export const migrateResultSchema = migrateResult;
export const drainResultSchema = drainResult;
export const undrainResultSchema = undrainResult;
export const agentResultSchema = z.strictObject({ left: z.int().min(0).describe("Runtimes that go on without the agent.") });
export const recoverResultSchema = recoverResult;
const hexText = z.string().regex(/^(?:[0-9a-f]{2})*$/);
/** A line each. */
export const traceResultSchema = tracePacketSchema.extend({
  hops: z.array(
    traceHopSchema.extend({
      changes: z.array(z.strictObject({ field: z.string(), from: z.string(), to: z.string() })).optional().describe("What is other than in the frame before."),
      frame: hexText.optional(),
    }),
  ),
});
/** The last line. */
export const traceEndSchema = z.strictObject({ totals: traceTotalsSchema });
export const captureResultSchema = traceTotalsSchema.extend({ file: z.string(), point: z.string() });
/** What any command prints with --json when it fails. */
export const errorResultSchema = z.strictObject({ error: errorSchema });

export type CaptureResultJson = z.output<typeof captureResultSchema>;
export type TraceResultJson = z.output<typeof traceResultSchema>;
export type RuntimesResultJson = z.output<typeof runtimesResultSchema>;
export type InitResultJson = z.output<typeof initResultSchema>;
export type BuildResultJson = z.output<typeof buildResultSchema>;
export type CheckResultJson = z.output<typeof checkResultSchema>;
export type TestResultJson = z.output<typeof testResultSchema>;
