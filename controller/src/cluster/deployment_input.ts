/** What somebody writes to have a chain run: `web.yaml` for `nfactor deploy`, the body of a PUT. NFs are references; the controller makes digests of them. */
import { entrySchema, hostConfigSchema } from "@nfactor/host/config";
import { deploymentSpecSchema } from "@nfactor/host/deployment";
import { NfError } from "@nfactor/sdk/errors";
import { z } from "zod";
import { groupPolicySchema } from "../scaling/policy.ts";
import { RUNTIMES } from "./deployment_object.ts";

const spec = deploymentSpecSchema.shape;
const count = z.int().min(RUNTIMES.least).max(RUNTIMES.most);

export const deploymentInputSchema = z.strictObject({
  apiVersion: z.literal("nfactor/v1"),
  host: z.string().max(63).optional().describe("Where its interfaces are. Default: the only host there is."),
  ports: hostConfigSchema.shape.ports.unwrap(),
  non_ip: spec.non_ip,
  flows: spec.flows,
  placement: spec.placement,
  replication: spec.replication,
  /** With less no process starts. */
  memory_mb: z
    .int()
    .min(96)
    .max(1 << 20)
    .default(256)
    .describe("Of each process, MiB. With less than 256 it has fewer packets at once."),
  scaling: groupPolicySchema
    .safeExtend({
      min: count.default(RUNTIMES.least).describe("Runtimes at least, and what it starts with."),
      max: count.default(RUNTIMES.most).describe("Runtimes at most."),
    })
    .prefault({}),
  peers: z
    .array(z.strictObject({ host: z.string().max(63), iface: z.string().max(15) }))
    .max(16)
    .default([]),
  chain: z
    .array(entrySchema)
    .min(1)
    .describe("As in nfactor.yaml; `nf` is the name of one that was pushed, as firewall, firewall@1.2.0 or firewall@sha256:3f9a…"),
});
export type DeploymentInput = z.output<typeof deploymentInputSchema>;

/** Throws NfError (config.field). */
export function parseInput(given: unknown): DeploymentInput {
  const { success, data, error } = deploymentInputSchema.safeParse(given);
  if (success) return data;
  throw wrongField(error.issues[0]!);
}

/** Throws NfError (config.field). */
export function parseEntry(given: unknown): DeploymentInput["chain"][number] {
  const { success, data, error } = entrySchema.safeParse(given);
  if (success) return data;
  throw wrongField(error.issues[0]!);
}

function wrongField({ path, message }: { readonly path: readonly PropertyKey[]; readonly message: string }): NfError {
  return new NfError("config.field", `${path.length === 0 ? "the deployment" : path.map(String).join(".")}: ${message}`, {
    fix: "Mend that field. Nothing was changed.",
  });
}
