/**
 * Flows leave runtimes that have too much. Evenness is no aim: nothing moves from a runtime that can do its work.
 *
 * The hottest gives to the coldest, as many flows as bring the one down, or the other up, to the goal: with known heavy flows the fewest, otherwise a
 * count, of which each is taken for average. A flow that is too heavy for the coldest stays; the others can go.
 */
import type { Wish } from "./decision.ts";
import { decideOn, tell, unsay, withhold } from "./saying.ts";
import { type Group, type Standing, free, hottestFirst } from "./standing.ts";

/** Part of an lcore for which a move is worth it. */
const LEAST_SHIFT = 0.03;
/** Moves from a runtime that stays hot, before each next one waits twice as long. */
const PATIENT_MOVES = 3;
const DOUBLINGS_MAX = 6;

type Choice =
  | { count: number; flowIds?: readonly string[] }
  /** `others`: with one runtime more, there would be something to move. */
  | { refused: string; others: boolean };

export function relieve(group: Group): void {
  const { policy, cluster } = group;
  const known = group.standings.filter(({ load }) => load !== undefined);
  for (const one of known) {
    if (isHot(group, one)) continue;
    one.memory.moves = 0;
    unsay(group, "hot_runtime", one.id);
  }
  const mean = known.reduce((sum, { load }) => sum + load!, 0) / Math.max(1, known.length);
  const goal = Math.min(Math.max(policy.load_target, mean), (policy.load_target + policy.load_high) / 2);
  for (const hot of hottestFirst(free(group).filter((one) => isHot(group, one)))) {
    if (cluster.now >= hot.memory.moveAtMs) relieveOne(group, hot, goal);
  }
}

const isHot = ({ policy }: Group, { pressure, overflows }: Standing): boolean => pressure >= policy.load_high || overflows;

function relieveOne(group: Group, hot: Standing, goal: number): void {
  const { policy } = group;
  const wanted = hot.load! * (1 + lostShare(group, hot));
  const excess = hot.pressure + wanted - hot.load! - goal;
  const seen = { load: hot.load!, pressure: hot.pressure, queued: hot.view.report!.status.queued, flows: hot.flows, goal };
  const common = { rule: "hot_runtime" as const, subject: hot.id, seen };
  const keep = (because: string, isStuck: boolean): void => {
    group.stuck ||= isStuck;
    withhold(group, { ...common, why: "it has too much to do and keeps its flows", instead: [{ option: "moving flows", because }] });
  };
  const cold = coldestFor(group, hot);
  if (cold === undefined) return keep("there is no other runtime that is free and on another lcore", hot.flows > 1);
  const headroom = goal - cold.pressure;
  const shift = Math.min(Math.max(excess, LEAST_SHIFT), headroom);
  if (shift < LEAST_SHIFT) return keep("the coldest other one has no room for them", hot.flows > 1);
  const choice = chooseFlows(hot, shift, headroom, wanted, policy.move_flows_max);
  if ("refused" in choice) return keep(choice.refused, choice.others);
  const wish: Wish = { kind: "move", from: hot.id, to: cold.id, ...choice };
  const why = hot.overflows ? "its packets find no room: flows go to the coldest runtime" : "its load is too high: flows go to the coldest runtime";
  const instead = [
    { option: "more flows", because: excess > headroom ? "the other one would have too much then" : "the fewest are moved that bring it to the goal" },
    { option: "another runtime only", because: "one that is there has room" },
  ];
  if (decideOn(group, [wish], { ...common, seen: { ...seen, to: cold.id, to_load: cold.pressure, count: choice.count }, why, instead })) waitAfter(group, hot);
}

/** Whoever stays hot whatever is moved away is asked for more ever less often. */
function waitAfter(group: Group, { id, memory }: Standing): void {
  memory.moves += 1;
  memory.moveAtMs = group.cluster.now + group.policy.move_again_ms * 2 ** Math.min(Math.max(0, memory.moves - PATIENT_MOVES), DOUBLINGS_MAX);
  if (memory.moves !== PATIENT_MOVES + 1) return;
  const instead = [{ option: "going on as before", because: "each move makes packets wait, and these have not helped" }];
  tell(group, {
    rule: "hot_runtime",
    subject: id,
    seen: { moves: memory.moves },
    why: "several moves have not cooled it down: the next ones take their time",
    instead,
  });
}

/** On another lcore: flows that stay on it relieve nobody. */
function coldestFor(group: Group, hot: Standing): Standing | undefined {
  const others = free(group).filter((one) => one !== hot && !one.leaving && one.lcore !== hot.lcore && !isHot(group, one));
  return hottestFirst(others).at(-1);
}

/** A full runtime shows no more than all of its time; what it loses was work, too. */
function lostShare({ standings, state }: Group, { overflows }: Standing): number {
  const lost = state.overflow?.perSecond ?? 0;
  if (!overflows || lost === 0) return 0;
  const received = standings.reduce((sum, one) => sum + (one.overflows ? (one.memory.report?.receivedPps ?? 0) : 0), 0);
  return received > 0 ? Math.min(lost / received, 4) : 0;
}

/** `shift` is wanted, the target has `headroom`, both as parts of an lcore; all flows of the source together would be `load`. */
function chooseFlows({ flows, view: { heavyFlows = [] } }: Standing, shift: number, headroom: number, load: number, max: number): Choice {
  if (flows <= 1) return { refused: "it has a single flow, which would be as heavy elsewhere", others: false };
  const elephants = heavyFlows.filter(({ share }) => share * load > headroom);
  const chosen: string[] = [];
  let moved = 0;
  for (const { flowId, share } of heavyFlows) {
    if (elephants.some((elephant) => elephant.flowId === flowId) || moved + share * load > Math.min(headroom, shift * 1.1)) continue;
    chosen.push(flowId);
    moved += share * load;
  }
  // Without elephants a count reaches the same, when the heavy ones do not: with them, a count could take one along.
  if (moved >= shift / 2 || (elephants.length > 0 && moved >= LEAST_SHIFT)) return { count: chosen.length, flowIds: chosen };
  if (elephants.length > 0) {
    const heavy = elephants.reduce((sum, { share }) => sum + share * load, 0);
    return { refused: "what it has to do is a flow that no other runtime has room for", others: load - heavy >= LEAST_SHIFT };
  }
  return { count: Math.min(max, flows - 1, Math.max(1, Math.round((flows * shift) / load))) };
}
