/** What becomes of flows when a deployment becomes another one: nothing, when only NFs, configurations and grants of its entries differ. */
import { isDeepStrictEqual } from "node:util";
import type { DeployedEntry, DeploymentSpec } from "./deployment_spec.ts";

export type Difference =
  /** Of nothing that runs. */
  | { readonly kind: "none" }
  /** Of these entries, which are swapped. */
  | { readonly kind: "entries"; readonly entries: readonly number[] }
  /** Of these fields: it cannot be changed into the other while it runs. */
  | { readonly kind: "shape"; readonly fields: readonly string[] };

/** As it is on disk. */
const plain = (value: unknown): unknown => (value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as unknown));
const isSame = (a: unknown, b: unknown): boolean => isDeepStrictEqual(plain(a), plain(b));

export function isSameSpec(a: DeploymentSpec, b: DeploymentSpec): boolean {
  return isSame(a, b);
}

export function isSameEntry(a: DeployedEntry, b: DeployedEntry): boolean {
  return isSame(a, b);
}

export function differenceOf(now: DeploymentSpec, next: DeploymentSpec): Difference {
  const fields: string[] = (["ports", "non_ip", "flows", "placement", "replication", "memory_mb"] as const).filter((field) => !isSame(now[field], next[field]));
  if (!isSame(namesOf(now), namesOf(next))) fields.push("chain");
  else next.chain.forEach(({ name, lease }, i) => isSame(lease, now.chain[i]!.lease) || fields.push(`lease of '${name}'`));
  if (fields.length > 0) return { kind: "shape", fields };
  const entries = changedEntries(now, next);
  return entries.length > 0 ? { kind: "entries", entries } : { kind: "none" };
}

/** By their place in the chain. What an NF and its version are called is no difference: the digest says what it is. */
export function changedEntries(now: DeploymentSpec, next: DeploymentSpec): number[] {
  const runs = ({ nf, config, grant }: DeployedEntry): unknown => [nf.digest, config ?? null, grant];
  return next.chain.flatMap((entry, i) => (isSame(runs(entry), runs(now.chain[i]!)) ? [] : [i]));
}

/** `now` with these entries of `next`. */
export function withEntries(now: DeploymentSpec, next: DeploymentSpec, entries: readonly number[]): DeploymentSpec {
  return { ...now, chain: now.chain.map((entry, i) => (entries.includes(i) ? next.chain[i]! : entry)) };
}

/** Whatever may run when the change from one to the other was cut off: entries are changed in order, and changed back in the opposite one. */
export function between(now: DeploymentSpec, next: DeploymentSpec): DeploymentSpec[] {
  const entries = changedEntries(now, next);
  return Array.from({ length: entries.length + 1 }, (_, left) => withEntries(now, next, entries.slice(0, entries.length - left)));
}

const namesOf = ({ chain }: DeploymentSpec): string[] => chain.map(({ name }) => name);
