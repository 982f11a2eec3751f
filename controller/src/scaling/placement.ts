/** On which host a new runtime of a group starts. */
import type { Group } from "./standing.ts";

export interface Place {
  host?: string;
  /** Why no other host, or why none at all. */
  because: string;
}

/**
 * With replicas, where the group has the fewest runtimes: owners and replicas must lie apart, and a host that dies takes as few as possible along. Without,
 * where the vswitch is, since its packets then cross no wire. Then where most room is left.
 */
export function placeFor({ cluster, view, policy, standings }: Group): Place {
  const here = (host: string): number => standings.filter((one) => one.host === host && one.is !== "dead").length;
  const isSilent = (host: string): boolean => {
    const there = standings.filter((one) => one.host === host);
    return there.length > 0 && there.every(({ is }) => is === "unknown" || is === "down" || is === "dead");
  };
  const room = (host: string): number => cluster.hosts.get(host)!.room - (cluster.used.get(host) ?? 0);
  const left = [...cluster.hosts.values()].filter(
    ({ host, leased, cordoned, connected }) => leased && !cordoned && connected !== false && (view.hosts?.includes(host) ?? true),
  );
  const roomy = left.filter(({ host }) => room(host) > 0);
  const candidates = roomy.filter(({ host }) => !isSilent(host));
  if (candidates.length === 0)
    return { because: left.length === 0 ? "no host takes runtimes" : roomy.length === 0 ? "no host has room" : "the hosts that have room are silent" };
  const distance = (host: string): number => (policy.replicas > 0 ? here(host) : host === view.vswitch?.host ? 0 : 1);
  const [best] = candidates.sort((a, b) => distance(a.host) - distance(b.host) || room(b.host) - room(a.host) || (a.host < b.host ? -1 : 1));
  return { host: best!.host, because: policy.replicas > 0 ? "it has the fewest runtimes of the group" : "it is nearest to the vswitch, with most room" };
}

/** Takes the room. */
export function occupy({ cluster, view }: Group, host: string): void {
  cluster.used.set(host, (cluster.used.get(host) ?? 0) + 1);
  cluster.usedBy.set(view.tenant, (cluster.usedBy.get(view.tenant) ?? 0) + 1);
}

/** Runtimes that the tenant may still have. */
export const quotaLeft = ({ cluster, view }: Group): number => (cluster.policy.quotas[view.tenant] ?? Infinity) - (cluster.usedBy.get(view.tenant) ?? 0);
