/**
 * What the operator wants of scaling: bounds, thresholds and times. Each has a value that works; a group may have its own.
 *
 * Loads are parts of an lcore's time. Three of them make the hysteresis: above `load_high` a group grows, to as many runtimes as have `load_target`
 * each; it shrinks only when those that stay would be below `load_low`. So neither step makes the other one due.
 */
import { NfError } from "@nfactor/sdk/errors";
import { z } from "zod";

const RUNTIMES_MAX = 10_000;
const load = (standard: number, what: string) => z.number().min(0.01).max(1).default(standard).describe(what);
const ms = (standard: number, what: string) =>
  z
    .int()
    .min(0)
    .max(7 * 24 * 3_600_000)
    .default(standard)
    .describe(what);

export const groupPolicySchema = z
  .strictObject({
    min: z.int().min(1).max(RUNTIMES_MAX).default(1).describe("Runtimes at least."),
    max: z.int().min(1).max(RUNTIMES_MAX).default(15).describe("Runtimes at most."),
    replicas: z
      .union([z.literal(0), z.literal(1)])
      .default(0)
      .describe("Other runtimes that keep each flow's state."),
    homes: z.int().min(1).max(16).default(4).describe("Runtimes among which the replicas of one runtime's flows are spread."),
    load_high: load(0.75, "Above it a group grows, and a runtime gives flows away."),
    load_target: load(0.6, "What a group grows to, and what a runtime takes flows up to."),
    load_low: load(0.5, "A group shrinks when the runtimes that stay would be below it."),
    queue_high: z.int().min(1).max(4096).default(256).describe("Packets in a runtime's input ring (of 512) from which it is taken for overloaded."),
    smooth_ms: ms(3_000, "Time constant of the average that loads are judged by."),
    report_max_age_ms: ms(5_000, "A runtime whose last report is older is unknown: neither idle nor busy."),
    grow_after_ms: ms(3_000, "How long the load is too high before a group grows. Packets lost to full queues: at once."),
    shrink_after_ms: ms(120_000, "How long it is low enough before a group shrinks."),
    grow_again_ms: ms(3_000, "Between two steps up."),
    shrink_again_ms: ms(20_000, "Between two steps down, and between one up and one down."),
    grow_step: z.number().min(0.01).max(4).default(1).describe("One step up at most, as a part of the group; one runtime at least."),
    shrink_step: z.number().min(0.01).max(1).default(0.1).describe("One step down at most, likewise."),
    move_again_ms: ms(4_000, "Between two moves from or to a runtime; doubles with each one after the third that leaves it too hot."),
    move_flows_max: z.int().min(1).max(1_000_000).default(20_000).describe("Flows of one move."),
    repair_after_ms: ms(5_000, "How long a runtime is dead before another one replaces it: its supervisor starts it again in less."),
    start_within_ms: ms(30_000, "A runtime that does not serve by then is given up."),
  })
  .superRefine(({ min, max, load_low, load_target, load_high }, context) => {
    if (min > max) context.addIssue({ code: "custom", path: ["min"], message: `min (${min}) must not be above max (${max})` });
    if (!(load_low < load_target && load_target < load_high))
      context.addIssue({
        code: "custom",
        path: ["load_target"],
        message: `load_low < load_target < load_high is needed, not ${load_low}, ${load_target}, ${load_high}`,
      });
  });
export type GroupPolicy = z.output<typeof groupPolicySchema>;

export const policySchema = z.strictObject({
  groups: z.record(z.string(), groupPolicySchema).default({}).describe("By group; one that has none gets every value's standard."),
  quotas: z.record(z.string(), z.int().min(0).max(RUNTIMES_MAX)).default({}).describe("Runtimes of a tenant at most, over all of its groups."),
  operations_max: z.int().min(1).max(10_000).default(256).describe("Operations in the whole cluster at once."),
  reissue_after_ms: ms(10_000, "A decision that nobody has heard of since is repeated under its key."),
});
export type Policy = z.output<typeof policySchema>;

/** Throws NfError (config.field): which field, what is wrong with it. */
export function parsePolicy(value: unknown): Policy {
  const parsed = policySchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  const field = path.length === 0 ? "the policy" : path.join(".");
  throw new NfError("config.field", `scaling policy: ${field}: ${message}`, { fix: "Leave the field out to get the standard value." });
}

const STANDARD = groupPolicySchema.parse({});

export const policyOf = (policy: Policy, group: string): GroupPolicy => policy.groups[group] ?? STANDARD;
