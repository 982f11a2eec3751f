/** What a deployment's input changes of what is wanted now: NFs as the versions that the controller would take, everything else as it is written. */
import { NfError } from "@nfactor/sdk/errors";
import type { DeploymentInput } from "../cluster/deployment_input.ts";
import type { Api, DeploymentJson } from "./api.ts";
import { type DiffLine, diffOf, flatten } from "./deployment_diff.ts";

export interface RunningDiff {
  readonly diff: readonly DiffLine[];
  /** Of the object that was compared. */
  readonly version: number | "none";
}

export async function diffWithRunning(api: Api, name: string, input: DeploymentInput): Promise<RunningDiff> {
  let view: DeploymentJson;
  try {
    view = await api.deployment(name);
  } catch (error) {
    if (error instanceof NfError && error.code === "store.not_found") return { diff: [], version: "none" };
    throw error;
  }
  const nfs = await Promise.all(input.chain.map(async ({ nf: reference }) => {
    const { nf, version, artifact } = await api.resolve(name.split("/")[0]!, reference);
    return { name: nf, version, digest: artifact.digest };
  }));
  return { diff: diffOf(flatten(runningText(view.wanted)), flatten(wantedText(input, view.wanted, nfs))), version: view.version };
}

interface Resolved {
  readonly name: string;
  readonly version: string;
  readonly digest: string;
}

const nfText = ({ name, version, digest }: Resolved): string => `${name}@${version} (sha256:${digest.slice(0, 12)})`;

function runningText({ host, scaling, peers, spec: { chain, runtimes: _, ...spec } }: DeploymentJson["wanted"]): object {
  return { host, scaling, peers, ...spec, chain: chain.map(({ nf, ...entry }) => ({ ...entry, nf: nfText(nf) })) };
}

function wantedText({ apiVersion: _, chain, host, ...rest }: DeploymentInput, { host: present }: DeploymentJson["wanted"], nfs: readonly Resolved[]): object {
  return { host: host ?? present, ...rest, chain: chain.map(({ nf: _nf, name, ...entry }, i) => ({ name: name ?? nfs[i]!.name, ...entry, nf: nfText(nfs[i]!) })) };
}
