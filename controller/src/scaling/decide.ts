/**
 * Scaling decisions: from what is seen, what is wanted and what was decided before, to what is to be done, and why. A pure function: no clock, no chance, no
 * input or output of its own. The controller calls it about once a second; the simulation (simulation/) calls the same function in virtual time.
 *
 * Deciding again on the same view changes nothing that is under way: who takes part in an operation takes part in no other, and what is repeated is repeated
 * under its key. The rules run in the order of their urgency, and each sees what those before it have decided.
 */
import type { Decision, Explanation } from "./decision.ts";
import { relieve } from "./moves.ts";
import { followOperations } from "./operations.ts";
import type { Policy } from "./policy.ts";
import { reachSize } from "./reach.ts";
import { buryDead, protect } from "./repair.ts";
import { forgetSayings } from "./saying.ts";
import { chooseSize } from "./size.ts";
import { type Cluster, type Group, makeGroup, takeStock } from "./standing.ts";
import { type ScalingState, copyState, initialState, newGroup } from "./state.ts";
import type { ClusterView } from "./view.ts";

export interface Decided {
  /** In the order in which they should begin. */
  decisions: Decision[];
  /** Of the decisions, of what happened, and of what was wanted and is not done; the last are told once, and again when the reason changes. */
  explanations: Explanation[];
  nextState: ScalingState;
}

/** `now`: the controller's clock, ms. Leaves `state` as it is. */
export function decide(view: ClusterView, policy: Policy, now: number, state: ScalingState = initialState()): Decided {
  const before = copyState(state);
  const nextState: ScalingState = { groups: {} };
  const cluster = makeCluster(view, policy, now, before);
  const groups = view.groups.map((one) => {
    const own = before.groups[one.group] ?? newGroup();
    nextState.groups[one.group] = own;
    return makeGroup(cluster, one, own);
  });
  for (const group of groups) {
    followOperations(group);
    takeStock(group);
  }
  for (const group of byNeed(groups)) decideGroup(group);
  return { decisions: groups.flatMap(({ decisions }) => decisions), explanations: groups.flatMap(({ explanations }) => explanations), nextState };
}

function decideGroup(group: Group): void {
  buryDead(group);
  protect(group);
  relieve(group);
  chooseSize(group);
  reachSize(group);
  forgetSayings(group);
}

/** Room that is scarce goes first to who loses packets, then to who is below its least. */
function byNeed(groups: readonly Group[]): Group[] {
  const need = ({ standings, policy }: Group): number =>
    (standings.some(({ overflows }) => overflows) ? 2 : 0) + (standings.filter(({ is }) => is === "serving").length < policy.min ? 1 : 0);
  return [...groups].sort((a, b) => need(b) - need(a) || (a.view.group < b.view.group ? -1 : 1));
}

function makeCluster(view: ClusterView, policy: Policy, now: number, { groups }: ScalingState): Cluster {
  const used = new Map<string, number>();
  const usedBy = new Map<string, number>();
  const add = (counts: Map<string, number>, name: string): void => void counts.set(name, (counts.get(name) ?? 0) + 1);
  const lost = view.hosts.filter(({ leased }) => !leased).length;
  for (const { group, tenant, runtimes } of view.groups) {
    for (const { host, phase } of runtimes) {
      if (phase === "gone" || view.hosts.find((one) => one.host === host)?.leased !== true) continue;
      add(used, host);
      add(usedBy, tenant);
    }
    for (const { decision } of groups[group]?.pending ?? []) {
      if (decision.kind !== "start" || runtimes.some(({ runtime }) => runtime === decision.runtime)) continue;
      add(used, decision.host);
      add(usedBy, tenant);
    }
  }
  return {
    ...{ view, policy, now, used, usedBy },
    hosts: new Map(view.hosts.map((host) => [host.host, host])),
    operationsLeft: Math.max(0, policy.operations_max - view.operations.length),
    cutOff: view.hosts.length > 2 && lost * 2 > view.hosts.length,
  };
}
