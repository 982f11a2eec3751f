/** Entries of a chain as somebody writes them, with references to NFs, made to entries as hosts get them, with digests; and what can be checked of them here. */
import type { DeployedEntry } from "@nfactor/host/cluster";
import { beyondGrant } from "@nfactor/host/rights";
import { ConfigError, encodeConfig } from "@nfactor/sdk/config";
import { NfError } from "@nfactor/sdk/errors";
import type { ArtifactRegistry, NfVersion } from "../artifacts/index.ts";
import type { Stored } from "../store/index.ts";
import type { DeploymentInput } from "./deployment_input.ts";

export interface ResolvedEntry {
  readonly entry: DeployedEntry;
  readonly version: Stored<NfVersion>;
}

type EntryInput = DeploymentInput["chain"][number];

/** Throws NfError (artifact.*, config.field and what else a configuration is refused with, config.rights). */
export async function resolveChain(registry: ArtifactRegistry, tenant: string, chain: readonly EntryInput[]): Promise<readonly ResolvedEntry[]> {
  const resolved: ResolvedEntry[] = [];
  for (const entry of chain) resolved.push(await resolveEntry(registry, tenant, entry));
  const names = resolved.map(({ entry }) => entry.name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice === undefined) return resolved;
  throw new NfError("config.field", `chain: two entries are called '${twice}'`, { given: twice, fix: "Give one of them another 'name'." });
}

/** As resolveChain(), of one. */
export async function resolveEntry(registry: ArtifactRegistry, tenant: string, { name, nf, ...rest }: EntryInput): Promise<ResolvedEntry> {
  const version = await registry.resolve(tenant, nf);
  const { manifest, artifact } = version.object;
  const entry: DeployedEntry = { ...rest, name: name ?? manifest.name, nf: { name: manifest.name, version: manifest.version, digest: artifact.digest } };
  requireRights(entry, version.object);
  await requireConfig(registry, entry, version.object);
  return { entry, version };
}

function requireRights({ name, grant, lease }: DeployedEntry, { manifest }: NfVersion): void {
  const beyond = beyondGrant(manifest.rights, grant);
  if (beyond.length > 0) {
    const wanted = beyond.join(", ");
    throw new NfError("config.rights", `chain '${name}': ${manifest.name} asks for '${wanted}', which is not granted`, {
      given: wanted,
      fix: `If it may have that, write 'grant: { ${wanted} }' at its entry.`,
    });
  }
  if (manifest.rights.lease && lease === undefined)
    throw new NfError("config.rights", `chain '${name}': ${manifest.name} wants a leased value for each flow, and the entry has no pool of them`, {
      fix: "Write 'lease: { size: 64512 }' at its entry.",
    });
}

async function requireConfig(registry: ArtifactRegistry, { name, config }: DeployedEntry, version: NfVersion): Promise<void> {
  const { config: schema } = await registry.schemas(version);
  try {
    encodeConfig(schema, config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { code, given, allowed, fix } = error;
    throw new NfError(code, `chain '${name}': ${error.message}`, { given, allowed, fix: fix ?? "Mend 'config' at its entry. Nothing was changed." });
  }
}
