/** Brings a group to its size: starts what is missing, drains what is too much or has to leave, removes what is empty. */
import type { Explanation, Wish } from "./decision.ts";
import { homesFor } from "./repair.ts";
import { type Place, occupy, placeFor, quotaLeft } from "./placement.ts";
import { decideOn, unsay, withhold } from "./saying.ts";
import { type Group, type Standing, free, lasting } from "./standing.ts";

export function reachSize(group: Group): void {
  removeEmpty(group);
  const missing = group.state.size! - lasting(group).length;
  if (missing > 0) startSome(group, missing - resume(group, missing));
  else unsay(group, "reach_size");
  if (missing === 0) spread(group);
  drainSome(group, Math.max(0, -missing));
}

/** What could not be done a moment ago is hardly possible now. */
const SPREAD_AGAIN_MS = 300_000;

/**
 * With replicas a host's death should take as few runtimes along as can be, so hosts have as many of a group as each other. When one has two more than it
 * could, one is started where the fewest are; then there is one too many, and it is the fullest host that loses one.
 */
function spread(group: Group): void {
  const { cluster, policy, standings, state } = group;
  if (policy.replicas === 0 || standings.some(({ is, busy, leaving }) => is !== "serving" || busy || leaving)) return;
  const place = placeFor(group);
  const counts = hostsOf(standings);
  const there = counts.get(place.host ?? "") ?? 0;
  const most = Math.max(...counts.values());
  if (place.host === undefined || quotaLeft(group) <= 0) return;
  if (most - there < 2) return void delete state.spread;
  const isTried = state.spread?.host === place.host && state.spread.there === there;
  if (isTried && cluster.now - state.spread!.atMs < SPREAD_AGAIN_MS) return;
  state.spread = { host: place.host, there, atMs: cluster.now };
  const seen = { most, there, runtimes: standings.length };
  startOne(group, place, { rule: "replicas", seen, why: "owners and replicas have to lie apart: one starts here, and one leaves the fullest host" });
}

function startSome(group: Group, missing: number): void {
  const { state, policy } = group;
  const seen = { size: state.size!, runtimes: lasting(group).length, missing };
  for (let i = 0; i < missing; i++) {
    const why = group.standings.some(({ is }) => is === "dead") ? "another one takes the place of what died" : "the group has fewer than it should";
    if (lasting(group).length >= policy.max && !group.standings.some(({ leaving }) => leaving)) return;
    const place = placeFor(group);
    const because = quotaLeft(group) <= 0 ? "the tenant's quota is used up" : place.host === undefined ? place.because : undefined;
    if (because !== undefined || place.host === undefined)
      return withhold(group, { rule: "reach_size", seen, why, instead: [{ option: "starting one", because: because ?? place.because }] });
    if (!startOne(group, place, { rule: "reach_size", seen, why })) return;
  }
}

/** False when the cluster has enough operations going on. */
function startOne(group: Group, { host = "", because }: Place, { rule, seen, why }: Pick<Explanation, "rule" | "seen" | "why">): boolean {
  const runtime = nameFor(group);
  const instead = [{ option: "another host", because }];
  if (!decideOn(group, [startWish(group, runtime, host)], { rule, seen: { ...seen, runtime, host }, why, instead })) return false;
  occupy(group, host);
  group.standings.push(startedStanding(group, runtime, host));
  return true;
}

function startWish(group: Group, runtime: string, host: string): Wish {
  const homes = homesFor(group, runtime, host);
  return { kind: "start", runtime, host, ...(homes.length === 0 ? {} : { homes }) };
}

function nameFor({ state, view }: Group): string {
  const isTaken = (name: string): boolean => view.runtimes.some(({ runtime }) => runtime === name);
  while (isTaken(`r${state.next}`)) state.next += 1;
  return `r${state.next}`;
}

/** As the next rules, and the next decision, see it. */
function startedStanding({ state, cluster: { now, hosts } }: Group, id: string, host: string): Standing {
  const memory = (state.runtimes[id] = { firstMs: now, moveAtMs: now, moves: 0, settleMs: now });
  const view = { runtime: id, host, phase: "starting" as const };
  const leaving = hosts.get(host)!.cordoned;
  return { id, host, view, memory, is: "starting", leaving, load: undefined, pressure: 0, lcore: `${host} ${id}`, flows: 0, overflows: false, busy: true };
}

/** One that was to go, and stays, is there at once. */
function resume(group: Group, missing: number): number {
  const there = group.standings
    .filter(({ is, busy, leaving, view }) => is === "draining" && !busy && !leaving && view.held !== true)
    .sort((a, b) => b.flows - a.flows || (a.id < b.id ? -1 : 1));
  let resumed = 0;
  for (const { id } of there.slice(0, missing)) {
    const instead = [{ option: "starting another one", because: "this one is there already" }];
    const seen = { size: group.state.size! };
    if (!decideOn(group, [{ kind: "undrain", runtime: id }], { rule: "reach_size", subject: id, seen, why: "it is needed again", instead })) break;
    resumed += 1;
  }
  return resumed;
}

/** A drained runtime ends when nobody's replicas lie there any more. One whose drain has left flows behind is drained again. */
function removeEmpty(group: Group): void {
  const wanted = lasting(group).length;
  for (const one of group.standings.filter(({ is, busy, view }) => is === "draining" && !busy && view.unheard !== true)) {
    if (one.view.held === true && !one.leaving) {
      const instead = [{ option: "using or removing it", because: "somebody has drained it by hand: it stays so until it is undrained" }];
      withhold(group, { rule: "empty", subject: one.id, seen: { flows: one.flows }, why: "it takes no flows", instead });
      continue;
    }
    // It may be needed again: see resume().
    if (!one.leaving && wanted < group.state.size!) continue;
    if (one.flows > 0) {
      if (group.cluster.now >= one.memory.moveAtMs) drainOne(group, one, "flows are left in it");
      continue;
    }
    const owners = group.standings.filter(({ is, view }) => is !== "dead" && view.homes?.includes(one.id) === true);
    const common = { rule: "empty" as const, subject: one.id, seen: { flows: one.flows, owners: owners.length } };
    if (owners.length > 0)
      withhold(group, {
        ...common,
        why: "it is empty and stays for now",
        instead: [{ option: "removing it", because: "replicas of others' flows lie in it" }],
      });
    else
      decideOn(group, [{ kind: "remove", runtime: one.id, force: false }], {
        ...common,
        why: "it is drained and empty",
        instead: [{ option: "keeping it", because: "it costs an lcore and does nothing" }],
      });
  }
}

/** First what is on hosts that are to be emptied; otherwise what has the fewest flows to move. */
function drainSome(group: Group, surplus: number): void {
  const { policy, state } = group;
  const there = lasting(group);
  // Where nothing else can be started, those that stay have to do: that a host is to be emptied was said by somebody, a size comes of the load.
  const isFull = there.length > policy.replicas && (placeFor(group).host === undefined || quotaLeft(group) <= 0);
  const canSpare = (there.length >= state.size! || isFull) && there.every(({ is }) => is === "serving" || is === "unknown");
  const leaving = group.standings.filter(({ leaving, is, busy }) => leaving && !busy && (is === "serving" || is === "unknown")).sort(cheapestFirst);
  for (const one of canSpare ? leaving : []) if (!one.busy && !drainOne(group, one, "its host is to be emptied")) break;
  // Flows may go to one that starts, as soon as its load is known.
  if (surplus === 0 || there.some(({ is, load }) => is === "starting" || is === "down" || (is === "serving" && load === undefined))) return;
  const busiest = hostsOf(there);
  const spare = free(group)
    .filter(({ leaving, memory }) => !leaving && group.cluster.now >= memory.moveAtMs)
    // With replicas the hosts stay balanced: owners and replicas have to lie apart.
    .sort((a, b) => (policy.replicas > 0 ? busiest.get(b.host)! - busiest.get(a.host)! : 0) || cheapestFirst(a, b));
  // The first may have become targets of those before them.
  for (const one of spare.slice(0, surplus)) if (!one.busy && !drainOne(group, one, "there are more than are wanted")) break;
}

const cheapestFirst = (a: Standing, b: Standing): number => a.flows - b.flows || (a.load ?? 0) - (b.load ?? 0) || (a.id < b.id ? -1 : 1);

function hostsOf(standings: readonly Standing[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { host } of standings) counts.set(host, (counts.get(host) ?? 0) + 1);
  return counts;
}

/** To as few others, the coldest, as have room for its load without having too much then. False when there are none. */
function drainOne(group: Group, one: Standing, why: string): boolean {
  const { policy } = group;
  const rule = one.leaving ? ("cordon" as const) : ("reach_size" as const);
  const load = one.load ?? one.memory.report?.load ?? one.memory.lastLoad ?? 0;
  const others = free(group)
    .filter((other) => other !== one && !other.leaving)
    .sort((a, b) => a.pressure - b.pressure || (a.id < b.id ? -1 : 1));
  // The dataplane deals a drained runtime's flows to its targets in turn.
  const takes = others.findIndex(
    (other, i) => other.pressure + load / (i + 1) <= policy.load_target && others.slice(0, i).every((less) => less.pressure <= other.pressure),
  );
  const seen = { flows: one.flows, load, others: others.length };
  if (takes < 0) {
    withhold(group, {
      rule,
      subject: one.id,
      seen,
      why,
      instead: [
        { option: "draining it", because: others.length === 0 ? "no other runtime is free to take its flows" : "the others have no room for its load" },
      ],
    });
    return false;
  }
  const to = others.slice(0, takes + 1).map(({ id }) => id);
  const wish: Wish = { kind: "drain", runtime: one.id, to };
  const instead = [{ option: "another one", because: one.leaving ? "its host is to be emptied" : "this one has the fewest flows to move" }];
  if (!decideOn(group, [wish], { rule, subject: one.id, seen: { ...seen, to: to.length }, why, instead })) return false;
  one.is = "draining";
  return true;
}
