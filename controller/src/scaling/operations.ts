/** What was decided before: how it ended, what nobody has heard of since, what became pointless. */
import type { Decision } from "./decision.ts";
import { participants } from "./decision.ts";
import type { GroupPolicy } from "./policy.ts";
import { tell } from "./saying.ts";
import type { Group } from "./standing.ts";
import type { Pending } from "./state.ts";
import type { RuntimeView } from "./view.ts";

/** Reissued so often without any sign, an operation is given up. */
const REISSUES = 6;
const FAILED_MOVE_WAITS = 8;

/** Before anything is decided: closes what has ended, repeats under its key what seems lost. */
export function followOperations(group: Group): void {
  const { cluster, view, state } = group;
  const outcomes = new Map(cluster.view.outcomes.filter((outcome) => outcome.group === view.group).map((outcome) => [outcome.key, outcome]));
  const goingOn = new Set(cluster.view.operations.filter((operation) => operation.group === view.group).map(({ key }) => key));
  const byId = new Map(view.runtimes.map((runtime) => [runtime.runtime, runtime]));
  const kept: Pending[] = [];
  for (const pending of state.pending) {
    const outcome = outcomes.get(pending.decision.key);
    if (outcome) end(group, pending.decision, outcome.ok ? undefined : (outcome.reason ?? "it failed"));
    else if (goingOn.has(pending.decision.key)) kept.push({ ...pending, atMs: cluster.now });
    else if (isSeen(pending.decision, byId)) end(group, pending.decision, undefined);
    else if (isPointless(pending.decision, byId)) end(group, pending.decision, "a runtime that takes part is gone");
    else if (hasExpired(pending, cluster.now, group.policy, cluster.policy.reissue_after_ms)) end(group, pending.decision, "nothing was heard of it in time");
    else if (cluster.now - pending.atMs >= cluster.policy.reissue_after_ms) {
      group.decisions.push(pending.decision);
      kept.push({ ...pending, atMs: cluster.now });
    } else kept.push(pending);
  }
  state.pending = kept;
}

/** Flows have come or gone, so loads have to be measured anew; after a failed move the two are left alone for longer. */
function end(group: Group, decision: Decision, failure: string | undefined): void {
  const { state, policy, cluster } = group;
  for (const id of participants(decision)) {
    const memory = state.runtimes[id];
    if (memory === undefined || (decision.kind !== "move" && decision.kind !== "drain")) continue;
    memory.settleMs = cluster.now;
    if (memory.report?.load !== undefined) memory.lastLoad = memory.report.load;
    memory.moveAtMs = Math.max(memory.moveAtMs, cluster.now + policy.move_again_ms * (failure === undefined ? 1 : FAILED_MOVE_WAITS));
  }
  if (failure === undefined) return;
  const subject = decision.kind === "move" ? decision.from : decision.runtime;
  const instead = [{ option: "the same again at once", because: "what refused it has had no time to change" }];
  tell(group, { rule: "operation", subject, seen: { key: decision.key, operation: decision.kind }, why: `it did not come to be: ${failure}`, instead });
}

/** Its effect can be seen, so it has ended, though nobody has said so: the controller was away then. */
function isSeen(decision: Decision, runtimes: ReadonlyMap<string, RuntimeView>): boolean {
  if (decision.kind === "move") return false;
  const runtime = runtimes.get(decision.runtime);
  const status = runtime?.report?.status;
  switch (decision.kind) {
    case "start":
      return runtime?.phase === "serving";
    case "remove":
      return runtime === undefined;
    case "drain":
      return status?.draining === true && status.flowsOpen === 0;
    case "undrain":
      return status?.draining === false;
    case "protect":
      return sameHomes(runtime?.homes, decision.homes);
  }
}

export function sameHomes(some: readonly string[] | undefined, others: readonly string[]): boolean {
  return some !== undefined && some.length === others.length && some.every((home) => others.includes(home));
}

const isPointless = (decision: Decision, runtimes: ReadonlyMap<string, RuntimeView>): boolean =>
  decision.kind !== "start" && !participants(decision).every((id) => runtimes.has(id));

function hasExpired({ decision, firstMs }: Pending, now: number, policy: GroupPolicy, reissueMs: number): boolean {
  return now - firstMs > (decision.kind === "start" ? policy.start_within_ms : reissueMs * REISSUES);
}
