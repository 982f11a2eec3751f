/**
 * What hosts are to be asked for, so that they have what is wanted. A pure function: it is called again whenever something has changed, and from time to time,
 * and finds out anew each time; nothing depends on what was asked for before having been done.
 *
 * What ends traffic has to be certain. A host is asked to end something only when the deployment's own object says so. What a host has and the store does not
 * know of (a store that was put back from an older copy; a host that belonged to another controller) is a stray: it is reported, and left alone until somebody
 * undeploys or deploys it by name. So is what a host has of a newer revision than the store has: then the store is the older one.
 */
import type { DeploymentSpec, DeploymentStatus, Params } from "@nfactor/host/cluster";
import { canonical, isSame } from "./same.ts";

export type Peer = Params<"configure_peers">["peers"][number];

/** A deployment as it should be. */
export interface Desired {
  readonly deployment: string;
  readonly host: string;
  /** Of its object: another one of the same name has another one. */
  readonly incarnation: number;
  readonly revision: number;
  readonly spec: DeploymentSpec;
  readonly replace: boolean;
  readonly ending: boolean;
  readonly peers: readonly Peer[];
  /** Hosts that were peers, and will never come back. */
  readonly gone: readonly string[];
  /** As its host was told, by this controller, of the supervisor that runs. */
  readonly peersTold: string | undefined;
  /** An order for it is under way: it gets no other one meanwhile. */
  readonly isBusy: boolean;
  /** After a failure; nothing before. */
  readonly notBeforeMs: number;
  /** Orders for this revision that have ended. */
  readonly attempt: number;
}

/** A host that is connected and has said what it has. */
export interface ObservedHost {
  readonly host: string;
  readonly deployments: readonly DeploymentStatus[];
}

interface Common {
  readonly host: string;
  readonly deployment: string;
  /** The same as long as it is the same attempt at the same wish, also by the next controller. */
  readonly key: string;
}
export type Order = Common &
  (
    | { readonly kind: "deploy"; readonly revision: number; readonly spec: DeploymentSpec; readonly replace: boolean }
    | { readonly kind: "swap"; readonly revision: number; readonly entry: string; readonly next: DeploymentSpec["chain"][number] }
    | { readonly kind: "configure_peers"; readonly peers: readonly Peer[]; readonly gone: readonly string[]; readonly told: string }
    | { readonly kind: "undeploy" }
  );

export interface Finding {
  readonly host: string;
  readonly deployment: string;
  /** `stray`: nobody wants it there, and nobody has said that it is to end. `ahead`: newer than what is known. */
  readonly kind: "stray" | "ahead";
  readonly text: string;
}

export interface Reconciled {
  readonly orders: readonly Order[];
  /** Deployments that are to end, and have: their objects may go. */
  readonly ended: readonly string[];
  readonly findings: readonly Finding[];
}

export function reconcile(desired: readonly Desired[], observed: readonly ObservedHost[], nowMs: number): Reconciled {
  const hosts = new Map(observed.map(({ host, deployments }) => [host, new Map(deployments.map((one) => [one.deployment, one]))]));
  const orders: Order[] = [];
  const ended: string[] = [];
  const findings: Finding[] = [];
  const wanted = new Map(desired.map((one) => [one.deployment, one]));
  for (const one of desired) {
    const there = hosts.get(one.host);
    const status = there?.get(one.deployment);
    if (there === undefined) continue;
    if (status && isAhead(status, one)) {
      findings.push(ahead(one, status));
      continue;
    }
    if (one.isBusy || nowMs < one.notBeforeMs) continue;
    if (one.ending && !status) ended.push(one.deployment);
    const order = one.ending ? status && undeploy(one) : bring(one, status);
    if (order) orders.push(order);
  }
  for (const { host, deployments } of observed)
    for (const { deployment } of deployments) if (wanted.get(deployment)?.host !== host) findings.push(stray(host, deployment, wanted.get(deployment)));
  return { orders, ended, findings };
}

/** `starts`: another supervisor, of processes that were all started anew, knows of no peers. */
export const peersText = (peers: readonly Peer[], gone: readonly string[], starts: number): string => canonical([peers, gone, starts]);

function bring(one: Desired, status: DeploymentStatus | undefined): Order | undefined {
  const { deployment, host, revision, spec, replace } = one;
  const common = { deployment, host, key: keyOf(one, `${revision}`) };
  if (!status || status.revision !== revision) {
    // What may replace the whole, when flows cannot go on, is deployed.
    const next = status?.state === "running" && !replace ? onlyChange(status.spec, spec) : undefined;
    if (next) return { ...common, kind: "swap", revision, entry: next.name, next };
    return { ...common, kind: "deploy", revision, spec, replace };
  }
  const { peers, gone } = one;
  const told = peersText(peers, gone, status.starts);
  const hasNone = one.peersTold === undefined && peers.length === 0 && gone.length === 0;
  if (status.state !== "running" || one.peersTold === told || hasNone) return undefined;
  return { ...common, key: keyOf(one, `${revision}.peers`), kind: "configure_peers", peers, gone, told };
}

/** The host has something newer than is known, or something else under the same number: both come of a store that is an older copy. */
export function isAhead(status: Pick<DeploymentStatus, "revision" | "spec">, wanted: Pick<Desired, "revision" | "spec">): boolean {
  return status.revision > wanted.revision || (status.revision === wanted.revision && !isSame(status.spec, wanted.spec));
}

const undeploy = (one: Desired): Order => ({ deployment: one.deployment, host: one.host, key: keyOf(one, "end"), kind: "undeploy" });

const keyOf = ({ deployment, incarnation, attempt }: Desired, what: string): string => `${deployment}#${incarnation}.${what}.${attempt}`;

/** The one entry in which two specs differ, when another version, configuration or grant of it is all: that is swapped, and no flow notices. */
export function onlyChange(from: DeploymentSpec, to: DeploymentSpec): DeploymentSpec["chain"][number] | undefined {
  if (from.chain.length !== to.chain.length || !isSame(frame(from), frame(to))) return undefined;
  const changed = to.chain.filter((entry, i) => !isSame(entry, from.chain[i]));
  const [next] = changed;
  if (changed.length !== 1 || !next) return undefined;
  const before = from.chain[to.chain.indexOf(next)]!;
  return before.name === next.name && before.nf.name === next.nf.name && isSame(before.lease, next.lease) ? next : undefined;
}

/** What a change from one to the other does to flows, as far as it can be said without the host. */
export function changeOf(from: DeploymentSpec, to: DeploymentSpec): "none" | "swap" | "replace" {
  const entries = ({ chain }: DeploymentSpec): unknown => chain.map(({ name, nf, lease }) => [name, nf.name, lease]);
  if (!isSame(frame(from), frame(to)) || !isSame(entries(from), entries(to))) return "replace";
  return isSame(from.chain, to.chain) ? "none" : "swap";
}

/** All but the chain, and without the number of runtimes, which is scaling's matter once it runs. */
function frame(spec: DeploymentSpec): DeploymentSpec {
  return { ...spec, chain: [], runtimes: 0 };
}

function ahead({ deployment, host, revision }: Desired, status: DeploymentStatus): Finding {
  const what = status.revision > revision ? `and ${revision} is the newest that is known` : "which is not what is known as that";
  const text = `host ${host} has revision ${status.revision} of it, ${what}: the store seems to be an older copy. It is left alone; deploy it to take it over`;
  return { host, deployment, kind: "ahead", text };
}

function stray(host: string, deployment: string, elsewhere: Desired | undefined): Finding {
  const known = elsewhere ? `it should be on host ${elsewhere.host}` : "nothing is known of it";
  return {
    host,
    deployment,
    kind: "stray",
    text: `host ${host} has it, and ${known}: it is left as it is; undeploy it by name, or deploy it there to take it over`,
  };
}
