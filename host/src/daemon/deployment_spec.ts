/**
 * What a host is told to run: a chain of NFs by digest between two of its interfaces. It comes from the controller, is kept on the host's disk, and goes on
 * being run while the controller is away.
 */
import { z } from "zod";
import { nameSchema } from "@nfactor/sdk/manifest";
import { LIMITS } from "@nfactor/sdk/abi";
import { entrySchema, hostConfigSchema } from "../config/host_config.ts";
import { hide } from "../rpc/hidden.ts";

/** SHA-256 of an artifact's bytes. */
export const digestSchema = z.string().regex(/^[0-9a-f]{64}$/, "64 hex digits are expected");

/** `<tenant>/<name>`, both as an NF's name may be. */
export const deploymentName = z.string().regex(/^[a-z][a-z0-9_]{0,31}\/[a-z][a-z0-9_]{0,31}$/, "a deployment is named <tenant>/<name>");

const shape = hostConfigSchema.shape;

export const deployedEntrySchema = entrySchema.omit({ nf: true, name: true }).extend({
  config: hide(entrySchema.shape.config, "its configuration"),
  name: nameSchema.describe("Name of the entry: prefix of its drop reasons, key of its states."),
  nf: z.strictObject({ name: nameSchema, version: z.string().max(64), digest: digestSchema }).describe("The NF's version, by the digest of its artifact."),
});

/** Runtimes are processes always: nobody's death is anybody else's. */
export const deploymentSpecSchema = z.strictObject({
  ports: shape.ports.unwrap(),
  non_ip: shape.non_ip,
  flows: shape.flows,
  /** Started with; later their number is what scaling makes of it. */
  runtimes: z.int().min(2).max(15).default(2),
  placement: z.enum(["round_robin", "least_loaded"]).default("least_loaded"),
  replication: z.strictObject({ mode: z.enum(["hold", "relay"]).default("hold"), unprotected: z.enum(["strict", "available"]).default("strict") }).optional(),
  memory_mb: z
    .int()
    .min(64)
    .max(1 << 20)
    .default(256)
    .describe("Of each process, MiB."),
  chain: z.array(deployedEntrySchema).min(1).max(LIMITS.chain_nfs_max),
});
export type DeploymentSpec = z.output<typeof deploymentSpecSchema>;
export type DeployedEntry = z.output<typeof deployedEntrySchema>;

/** What a host says of one that it has. */
export const deploymentStatusSchema = z.strictObject({
  deployment: deploymentName,
  /** Of the order that it carries out. */
  revision: z.int().min(0),
  spec: deploymentSpecSchema,
  state: z.enum(["starting", "running", "stopping", "failed"]),
  /** Why it does not run, or is started again and again. */
  error: z.strictObject({ code: z.string(), message: z.string(), fix: z.string().optional() }).optional(),
  pid: z.int().optional(),
  /** Starts of its supervisor on this host. */
  starts: z.int().min(0),
});
export type DeploymentStatus = z.output<typeof deploymentStatusSchema>;
