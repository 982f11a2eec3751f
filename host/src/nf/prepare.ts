/**
 * One entry of a chain made ready: admitted, its rights within the grant, its configuration encoded by the NF's own schema, with every complaint at
 * its place in the file that the value came from.
 */
import type { OptionalExport } from "@nfactor/sdk/abi";
import { ConfigError, encodeConfig } from "@nfactor/sdk/config";
import { NfError } from "@nfactor/sdk/errors";
import type { AdmittedNf } from "@nfactor/sdk/admission";
import type { Manifest, StateSchema } from "@nfactor/sdk/manifest";
import type { EntryPlan } from "../config/plan.ts";
import type { NfRights } from "../dataplane/native_types.ts";
import type { FaultSource } from "../result/faults.ts";
import { admit } from "./admit.ts";
import { faultSource } from "./fault_source.ts";
import type { LoadedNf } from "./loaded_nf.ts";
import { grantedRights } from "./rights.ts";

export interface PreparedNf {
  entry: string;
  manifest: Manifest;
  stateSchema: StateSchema;
  /** The core module, and its SHA-256 in hex. */
  core: Uint8Array;
  digest: string;
  /** MessagePack for `configure`. */
  config: Uint8Array;
  rights: NfRights;
  leaseSize: number;
  exports: readonly OptionalExport[];
  source: FaultSource;
}

/** `beforeConfig` may refuse what was admitted, before its configuration is looked at. Throws NfError (admission.*, config.*). */
export async function admitAndPrepare(
  loaded: LoadedNf,
  plan: EntryPlan,
  { beforeConfig }: { beforeConfig?: (nf: AdmittedNf) => void } = {},
): Promise<PreparedNf> {
  const nf = await admit(loaded.component, loaded.shown);
  beforeConfig?.(nf);
  const rights = grantedRights(nf.manifest, plan);
  return {
    entry: plan.name,
    manifest: nf.manifest,
    stateSchema: nf.stateSchema,
    core: nf.core,
    digest: nf.digest,
    config: encode(nf, plan),
    rights,
    leaseSize: rights.lease ? plan.leaseSize : 0,
    exports: nf.optionalExports,
    source: faultSource(loaded.sourceMap, nf.core, loaded.shown),
  };
}

function encode({ configSchema }: AdmittedNf, plan: EntryPlan): Uint8Array {
  try {
    return encodeConfig(configSchema, plan.config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { code, path, at, given, allowed, fix } = error;
    throw new NfError(code, `chain '${plan.name}': ${error.message}`, {
      where: plan.configPlace(path, at) ?? plan.where,
      given,
      allowed,
      fix: fix ?? (plan.config === undefined ? `Give it one with --nf-config ${plan.name}=<file>, or as 'config' in nfactor.yaml.` : "Nothing was started."),
    });
  }
}
