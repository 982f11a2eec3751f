/** From a deployment to what `nfactor run` is started with: the name of the run, and its nfactor.yaml. */
import { createHash } from "node:crypto";
import type { DeploymentSpec } from "./deployment_spec.ts";

/** Sockets of the run's processes lie in a folder of this name, and their paths are short. */
const NAME_MAX = 24;

/** `blue/web` is `blue.web`; of a longer one the beginning, and a digest of the whole. Not two deployments have the same. */
export function runNameOf(deployment: string): string {
  const name = deployment.replace("/", ".");
  if (name.length <= NAME_MAX) return name;
  // No deployment has a '-' in its name.
  return `${name.slice(0, NAME_MAX - 9)}-${createHash("sha256").update(deployment).digest("hex").slice(0, 8)}`;
}

/** The text of its nfactor.yaml, as JSON, which is YAML too. `pathOf`: absolute path of an artifact. */
export function runFileOf(spec: DeploymentSpec, pathOf: (digest: string) => string): string {
  const { ports, non_ip, flows, placement, replication, memory_mb } = spec;
  const config = {
    apiVersion: "nfactor/v1",
    ...{ ports, non_ip, flows },
    runtimes: { count: spec.runtimes, placement, processes: true, ...(replication ? { replication: { replicas: 1, ...replication } } : {}) },
    memory: { megabytes: memory_mb },
    chain: spec.chain.map(({ nf, ...entry }) => ({ ...entry, nf: pathOf(nf.digest) })),
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

export function digestsOf(spec: DeploymentSpec): string[] {
  return spec.chain.map(({ nf }) => nf.digest);
}
