/** Decisions are taken here, each with its explanation; so is what is wanted and not done. */
import { type Explanation, type Rule, type Wish, participants } from "./decision.ts";
import type { Group } from "./standing.ts";

type Saying = Omit<Explanation, "group" | "done">;

/** Takes the decisions: their runtimes are busy from now on. False, and none is taken, when the cluster has enough operations going on. */
export function decideOn(group: Group, wishes: readonly Wish[], saying: Saying): boolean {
  const { cluster, state, view } = group;
  if (cluster.operationsLeft < wishes.length) {
    withhold(group, { ...saying, instead: [{ option: "doing it now", because: "as many operations as the policy allows go on in the cluster" }] });
    return false;
  }
  cluster.operationsLeft -= wishes.length;
  const done: string[] = [];
  for (const wish of wishes) {
    const decision = { ...wish, key: `${view.group}:${state.next++}`, group: view.group };
    done.push(decision.key);
    group.decisions.push(decision);
    state.pending.push({ decision, atMs: cluster.now, firstMs: cluster.now });
    const taking = new Set(participants(wish));
    for (const one of group.standings) if (taking.has(one.id)) one.busy = true;
  }
  unsay(group, saying.rule, saying.subject);
  group.explanations.push({ ...saying, group: view.group, done });
  return true;
}

/** Something is wanted and not done: said once, and again when the reason changes. Figures that change belong into `seen`. */
export function withhold(group: Group, saying: Saying): void {
  const text = `${saying.why} ${saying.instead.map(({ option, because }) => `${option} ${because}`).join(" ")}`;
  const said = (group.state.said[saying.subject ?? ""] ??= {});
  if (said[saying.rule] === text) return;
  said[saying.rule] = text;
  group.explanations.push({ ...saying, group: group.view.group, done: [] });
}

/** What took place is an event and no state: it is said each time. */
export function tell(group: Group, saying: Saying): void {
  group.explanations.push({ ...saying, group: group.view.group, done: [] });
}

/** It is no longer wanted: if it is again, that is new. */
export function unsay({ state }: Group, rule: Rule, subject = ""): void {
  const said = state.said[subject];
  if (said?.[rule] !== undefined) delete said[rule];
}

/** What was said of runtimes that are no more is forgotten. */
export function forgetSayings({ state, standings }: Group): void {
  const known = new Set(["", "vswitch", ...standings.map(({ id }) => id)]);
  for (const [subject, rules] of Object.entries(state.said)) if (!known.has(subject) || Object.keys(rules).length === 0) delete state.said[subject];
}
