/**
 * How many runtimes a group should have. Load raises and lowers the number, within bounds; reach.ts brings the group there. What dies is replaced because
 * the number stays.
 */
import { tell, unsay, withhold } from "./saying.ts";
import { type Group, demandOf, lasting } from "./standing.ts";
import { quotaLeft } from "./placement.ts";

/** A vswitch that has no time left is what limits its group, whatever there is behind it. */
const VSWITCH_FULL = 0.95;

/** In a large group somebody's report is always missing: as long as those are few, their last loads are good enough. */
const SILENT_SHARE = 0.1;

/** A replica lies in another runtime. */
const leastOf = ({ policy }: Group): number => Math.max(policy.min, policy.replicas + 1);

export function chooseSize(group: Group): void {
  const { state, policy, cluster } = group;
  const before = state.size;
  state.size = Math.min(Math.max(before ?? lasting(group).length, leastOf(group)), Math.max(policy.max, leastOf(group)));
  if (before !== undefined && before !== state.size)
    tell(group, {
      rule: "bounds",
      seen: { size: before, min: leastOf(group), max: policy.max },
      why: `the bounds have changed: ${state.size} runtimes are wanted`,
      instead: [],
    });
  const demand = demandOf(group, false);
  if (!grow(group, demand)) shrink(group, demand);
  // What the quota does not allow is not wanted later at once, when other groups of the tenant have become smaller.
  const most = Math.max(lasting(group).length + Math.max(0, quotaLeft(group)), policy.min);
  if (state.size > most) {
    const why = `${state.size} runtimes are wanted`;
    withhold(group, {
      rule: "bounds",
      seen: { quota: cluster.policy.quotas[group.view.tenant]! },
      why,
      instead: [{ option: "starting them all", because: "the tenant's quota is used up" }],
    });
    state.size = most;
  }
}

interface Capacity {
  /** lcores that work for the group now, and those of runtimes that will. */
  lcores: number;
  serving: number;
  starting: number;
}

function capacityOf(group: Group): Capacity {
  const there = lasting(group);
  const serving = there.filter(({ is }) => is === "serving" || is === "unknown");
  const starting = there.length - serving.length;
  return { lcores: new Set(serving.map(({ lcore }) => lcore)).size, serving: serving.length, starting };
}

/** True while the load asks for more, whether or not that can be done. */
function grow(group: Group, averaged: number): boolean {
  const { state, policy, cluster } = group;
  const { lcores, serving, starting } = capacityOf(group);
  const size = state.size!;
  const isFull = group.standings.some(({ overflows }) => overflows);
  const demand = isFull ? Math.max(averaged, demandOf(group, true)) : averaged;
  const mean = demand / Math.max(1, lcores);
  const isLosing = isFull && (mean > policy.load_target || group.stuck);
  if (serving === 0 || !(mean > policy.load_high || group.stuck || isLosing)) {
    delete state.hotSinceMs;
    unsay(group, "load_out");
    return false;
  }
  state.hotSinceMs ??= cluster.now;
  const forMs = cluster.now - state.hotSinceMs;
  const seen = { demand, mean, runtimes: serving, starting, size, for_ms: forMs, lost_pps: state.overflow?.perSecond ?? 0 };
  const refuse = (because: string): true => {
    withhold(group, { rule: "load_out", seen, why: "there is more load than the group should have", instead: [{ option: "more runtimes", because }] });
    return true;
  };
  const missing = Math.ceil(demand / policy.load_target) - lcores;
  const wanted = serving + Math.max(missing, group.stuck && mean > policy.load_low ? 1 : 0);
  if (wanted <= size && size > serving) return refuse("those that are being started are enough");
  if (wanted <= size) return refuse("there are enough: flows have to move to them");
  if (size >= policy.max) return refuse("max is reached");
  if ((state.vswitch?.load ?? 0) >= VSWITCH_FULL && mean <= policy.load_high && !isLosing)
    return refuse("the vswitch has no time left, and they would all be behind it");
  if (forMs < policy.grow_after_ms && !isLosing) return refuse("it may be a peak that passes");
  const sinceMs = cluster.now - (state.grewMs ?? -Infinity);
  if (sinceMs < policy.grow_again_ms) return refuse("the last step up has not had its effect yet");
  const step = Math.max(1, Math.floor(serving * policy.grow_step));
  state.size = Math.min(policy.max, wanted, size + step);
  state.grewMs = cluster.now;
  delete state.lowSinceMs;
  const because = wanted > state.size ? "a step, and max, are limits" : "these are enough to have the load that is aimed at";
  const why = isLosing ? `packets find no room: ${state.size} runtimes are wanted` : `the load is too high: ${state.size} runtimes are wanted`;
  tell(group, { rule: "load_out", seen, why, instead: [{ option: "more of them", because }] });
  unsay(group, "load_out");
  return true;
}

function shrink(group: Group, demand: number): void {
  const { state, policy, cluster } = group;
  const there = lasting(group);
  const size = state.size!;
  const step = Math.max(1, Math.floor(there.length * policy.shrink_step));
  const isMeasured = group.standings.every(({ is, memory }) => is !== "serving" || memory.report?.load !== undefined || memory.lastLoad !== undefined);
  const wanted = isMeasured ? Math.max(leastOf(group), Math.ceil(demand / policy.load_low), size - step) : size;
  const why = obstacle(group);
  if (wanted >= size || why !== undefined) {
    delete state.lowSinceMs;
    const instead = [{ option: "fewer runtimes", because: why ?? "" }];
    if (wanted < size) withhold(group, { rule: "load_in", seen: { demand, size }, why: "there is less load than runtimes", instead });
    else unsay(group, "load_in");
    return;
  }
  state.lowSinceMs ??= cluster.now;
  const forMs = cluster.now - state.lowSinceMs;
  const seen = { demand, size, for_ms: forMs, load_after: demand / wanted };
  const sinceMs = cluster.now - Math.max(state.shrankMs ?? -Infinity, state.grewMs ?? -Infinity);
  if (forMs < policy.shrink_after_ms || sinceMs < policy.shrink_again_ms) {
    const instead = [{ option: "fewer runtimes at once", because: "it may be a lull that passes" }];
    return withhold(group, { rule: "load_in", seen, why: "there is less load than runtimes", instead });
  }
  state.size = wanted;
  state.shrankMs = cluster.now;
  const instead = [{ option: "fewer still", because: "a step, min, and the load of those that stay are limits" }];
  tell(group, { rule: "load_in", seen, why: `the load is low: ${wanted} runtimes are wanted`, instead });
  unsay(group, "load_in");
}

/** Why a group does not become smaller, whatever its load seems to be. */
function obstacle(group: Group): string | undefined {
  const { standings, state, policy } = group;
  if (standings.filter(({ is }) => is === "unknown").length > standings.length * SILENT_SHARE) return "who is silent is not idle, and too many are";
  if (standings.some(({ is, leaving }) => is === "starting" || is === "down" || is === "dead" || leaving)) return "runtimes are coming or going";
  if (standings.some(({ is }) => is === "draining")) return "another one is being drained";
  if ((state.overflow?.perSecond ?? 0) >= 1) return "packets are lost";
  if (policy.replicas > 0 && standings.some(({ view }) => (view.report?.status.unprotected ?? 0) > 0)) return "some flows have no replica";
  return undefined;
}
