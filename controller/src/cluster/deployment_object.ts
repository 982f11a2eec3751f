/** How a deployment's object comes from what somebody wants, and from what it was. Pure. */
import type { DeploymentSpec } from "@nfactor/host/cluster";
import { deploymentSpecSchema } from "@nfactor/host/deployment";
import { NfError } from "@nfactor/sdk/errors";
import type { GroupPolicy } from "../scaling/index.ts";
import type { ResolvedEntry } from "./chain.ts";
import type { DeploymentInput } from "./deployment_input.ts";
import { type Deployment, type DeploymentRevision, REVISIONS_BYTES_KEPT, REVISIONS_KEPT } from "./kinds.ts";

/** Of one virtual switch: the dataplane has room for no more, and with one alone its death would end all flows. */
export const RUNTIMES = { least: 2, most: 15 } as const;

/** Replicas are wanted when either place says so. Throws NfError (config.field). */
export function scalingOf({ scaling, replication }: Pick<DeploymentInput, "scaling" | "replication">): GroupPolicy {
  requireSizes(scaling);
  return { ...scaling, replicas: replication || scaling.replicas === 1 ? 1 : 0 };
}

/** Throws NfError (config.field). */
export function requireSizes({ min, max }: { readonly min: number; readonly max: number }): void {
  const { least, most } = RUNTIMES;
  if (Number.isInteger(min) && Number.isInteger(max) && least <= min && min <= max && max <= most) return;
  throw new NfError("config.field", `a deployment cannot have ${min} to ${max} runtimes`, {
    given: `${min} to ${max}`,
    allowed: `${least} to ${most}, and min not above max`,
    fix: "Give other bounds; what needs more runtimes is several deployments.",
  });
}

export function specOf(input: DeploymentInput, scaling: GroupPolicy, chain: readonly ResolvedEntry[]): DeploymentSpec {
  const { ports, non_ip, flows, placement, memory_mb } = input;
  const replication = scaling.replicas === 1 ? (input.replication ?? {}) : undefined;
  return deploymentSpecSchema.parse({
    ...{ ports, non_ip, flows, placement, memory_mb, runtimes: scaling.min, chain: chain.map(({ entry }) => entry) },
    ...(replication === undefined ? {} : { replication }),
  });
}

/** With another revision; the oldest ones go, but never that before the new one. */
export function withRevision(revisions: readonly DeploymentRevision[], next: DeploymentRevision): DeploymentRevision[] {
  const kept = [...revisions.slice(1 - REVISIONS_KEPT), next];
  const bytes = kept.map((each) => JSON.stringify(each).length);
  let sum = bytes.reduce((a, b) => a + b, 0);
  while (kept.length > 2 && sum > REVISIONS_BYTES_KEPT) {
    sum -= bytes.shift()!;
    kept.shift();
  }
  return kept;
}

export const digestsOf = ({ revisions }: Pick<Deployment, "revisions">): readonly string[] => [
  ...new Set(revisions.flatMap(({ spec }) => spec.chain.map(({ nf }) => nf.digest))),
];
