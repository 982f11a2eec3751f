/**
 * What has died is taken off the books, so that others replace it (reach.ts), and the replicas of each runtime's flows lie where its death leaves them alive.
 *
 * The dataplane has gone on with the flows long before this: who died was fenced, and the homes of its replicas are the owners now. Here capacity and
 * protection are made whole again.
 */
import { sameHomes } from "./operations.ts";
import { decideOn, unsay, withhold } from "./saying.ts";
import type { Group, Standing } from "./standing.ts";

export function buryDead(group: Group): void {
  const { cluster, policy, standings } = group;
  for (const one of standings) {
    const forMs = cluster.now - (one.memory.deadSinceMs ?? cluster.now);
    const common = { rule: "failure" as const, subject: one.id, seen: { host: one.host, for_ms: forMs } };
    if (one.is === "down" && forMs >= policy.repair_after_ms)
      withhold(group, {
        ...common,
        why: "it does not answer",
        instead: [{ option: "replacing it", because: "most hosts are silent: rather the controller is cut off than they are dead" }],
      });
    if (one.is !== "dead" || one.busy) continue;
    const instead = [{ option: "waiting for it", because: "what comes back by itself does so in less time" }];
    decideOn(group, [{ kind: "remove", runtime: one.id, force: true }], {
      ...common,
      why: "it is dead: it is given up, and what it carried is taken care of",
      instead,
    });
  }
  for (const { id, is } of standings)
    if (is === "unknown") sayUnknown(group, id);
    else if (is === "serving") for (const rule of ["failure", "silence"] as const) unsay(group, rule, id);
}

function sayUnknown(group: Group, id: string): void {
  const instead = [
    { option: "taking it for idle", because: "then it would be drained under load" },
    { option: "replacing it", because: "its host has its lease" },
  ];
  withhold(group, { rule: "silence", subject: id, seen: {}, why: "nothing recent is known of its load: it counts as it was last seen", instead });
}

/** Replicas apart from their owners: on other hosts as soon as there are several. */
export function protect(group: Group): void {
  const { policy, standings } = group;
  if (policy.replicas === 0) return;
  const { usable, keeps } = keepersIn(group);
  const needy = standings
    .filter(({ is, flows }) => is === "serving" || is === "unknown" || (is === "draining" && flows > 0))
    .map((one) => ({ one, ...wantedHomes(group, one.id, one.host, one.view.homes, usable, keeps) }))
    .filter(({ one, homes }) => !sameHomes(one.view.homes, homes))
    // Who has nobody left comes first.
    .sort((a, b) => a.valid - b.valid || (a.one.id < b.one.id ? -1 : 1));
  for (const { one } of needy) {
    // Anew for each: what those before it have chosen counts, or all would choose the same ones.
    const { homes, valid, apart } = wantedHomes(group, one.id, one.host, one.view.homes, usable, keeps);
    const common = {
      rule: "replicas" as const,
      subject: one.id,
      seen: { homes: homes.length, still_good: valid, unprotected: one.view.report?.status.unprotected ?? 0 },
    };
    if (homes.length === 0) {
      withhold(group, {
        ...common,
        why: "its flows are without replicas",
        instead: [{ option: "naming another runtime", because: "there is none that serves" }],
      });
      continue;
    }
    if (one.busy) continue;
    for (const home of homes) if (one.view.homes?.includes(home) !== true) keeps.set(home, (keeps.get(home) ?? 0) + 1);
    const instead = [{ option: "more changes", because: "homes that are still good keep what they have" }];
    if (!apart) instead.push({ option: "another host", because: "no other one has a runtime of the group" });
    if (
      !decideOn(group, [{ kind: "protect", runtime: one.id, homes }], {
        ...common,
        why: "its replicas lie where they should not, or in too few runtimes",
        instead,
      })
    )
      return;
  }
  if (usable.length > 1 && new Set(usable.map(({ host }) => host)).size === 1 && (group.view.hosts?.length ?? group.cluster.hosts.size) > 1)
    withhold(group, {
      rule: "replicas",
      seen: {},
      why: "all runtimes are on one host: its death would take owners and replicas",
      instead: [{ option: "moving one", because: "no other host takes one just now; the next one that starts goes elsewhere" }],
    });
  else unsay(group, "replicas");
}

interface Homes {
  homes: readonly string[];
  /** Of the present ones, those that can stay. */
  valid: number;
  /** On other hosts than the owner. */
  apart: boolean;
}

/** Who may keep replicas, and of how many owners each does. */
function keepersIn({ standings }: Group): { usable: Standing[]; keeps: Map<string, number> } {
  const keeps = new Map<string, number>();
  for (const { view, is } of standings) if (is !== "dead") for (const home of view.homes ?? []) keeps.set(home, (keeps.get(home) ?? 0) + 1);
  return { usable: standings.filter(({ is, leaving }) => is !== "draining" && is !== "dead" && !leaving), keeps };
}

/** Homes stay with who is silent, or about to come back; only who serves becomes a new one. */
function wantedHomes(
  { policy }: Group,
  owner: string,
  host: string,
  now: readonly string[] = [],
  usable: readonly Standing[],
  keeps: ReadonlyMap<string, number>,
): Homes {
  const others = usable.filter(({ id }) => id !== owner);
  const away = others.filter((one) => one.host !== host);
  const from = (pool: readonly Standing[]): Homes => {
    const kept = pool.filter(({ id }) => now.includes(id)).map(({ id }) => id);
    const added = pool
      .filter(({ id, is }) => is === "serving" && !kept.includes(id))
      .sort((a, b) => (keeps.get(a.id) ?? 0) - (keeps.get(b.id) ?? 0) || a.pressure - b.pressure || (a.id < b.id ? -1 : 1))
      .map(({ id }) => id);
    return { homes: [...kept, ...added].slice(0, policy.homes), valid: kept.length, apart: pool === away };
  };
  const apart = from(away);
  return apart.homes.length > 0 ? apart : from(others);
}

/** Of a runtime that is about to start. */
export function homesFor(group: Group, runtime: string, host: string): readonly string[] {
  if (group.policy.replicas === 0) return [];
  const { usable, keeps } = keepersIn(group);
  return wantedHomes(group, runtime, host, [], usable, keeps).homes;
}
