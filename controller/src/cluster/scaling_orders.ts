/** What scaling decides, asked of the host that has the deployment, under the decision's key. */
import type { HostSession } from "@nfactor/host/identity";
import { NfError } from "@nfactor/sdk/errors";
import type { Decision } from "../scaling/index.ts";
import type { Peer } from "./reconcile.ts";

export interface DecisionTarget {
  readonly session: HostSession;
  readonly deployment: string;
  readonly host: string;
  readonly nonce: string;
  readonly peers: readonly Peer[];
  readonly numberOf: (runtime: string) => number | undefined;
}

/** What is known of it afterwards. */
export interface Done {
  readonly number?: number;
  readonly homes?: readonly string[];
  readonly isRemoved?: boolean;
  /** Flows that it was about. */
  readonly flows?: { readonly moved: number; readonly failed: number; readonly duration_ns: number };
  /** Why not all of it came to be. */
  readonly reason?: string | undefined;
}

export async function carryOutDecision(decision: Decision, target: DecisionTarget): Promise<Done> {
  const { session, deployment } = target;
  const key = `${target.nonce}.${decision.key}`;
  const number = (runtime: string): number => {
    const known = target.numberOf(runtime);
    if (known !== undefined) return known;
    throw new NfError("runtime.unknown", `runtime ${runtime} is no more`, { fix: "Nothing has to be done: what is wanted instead is decided anew." });
  };
  switch (decision.kind) {
    case "start":
      return start(decision, target, key);
    case "move": {
      const { from, to, count } = decision;
      const params = { deployment, from: number(from), to: number(to), flows: { count }, dry_run: false };
      const flows = await session.call("migrate_flows", params, { key });
      const { moved, failed, reason } = flows;
      return { flows, ...(moved === 0 && failed > 0 ? { reason: `none of ${failed} flows has moved: ${reason}` } : {}) };
    }
    case "drain": {
      const to = decision.to.flatMap((one) => target.numberOf(one) ?? []);
      const flows = await session.call("drain", { deployment, runtime: number(decision.runtime), to, dry_run: false }, { key });
      if (flows.undrained) return { flows, reason: "it was undrained meanwhile" };
      return { flows, ...(flows.failed > 0 ? { reason: `${flows.failed} flows have stayed: ${flows.reason}` } : {}) };
    }
    case "undrain":
      await session.call("undrain", { deployment, runtime: number(decision.runtime) }, { key });
      return {};
    case "remove":
      return remove(decision, target, key);
    case "protect": {
      const targets = decision.homes.flatMap((one) => target.numberOf(one) ?? []);
      await session.call("set_replication_target", { deployment, runtime: number(decision.runtime), targets }, { key });
      return { homes: decision.homes };
    }
  }
}

async function start(decision: Decision & { kind: "start" }, target: DecisionTarget, key: string): Promise<Done> {
  const { session, deployment, host, peers } = target;
  const isElsewhere = decision.host !== host;
  // Its supervisor may have been started anew since it was told.
  if (isElsewhere) await session.call("configure_peers", { deployment, peers: [...peers], keep_used: true }, { key: `${key}.peers` });
  const { runtime: number } = await session.call("add_runtime", { deployment, ...(isElsewhere ? { at: decision.host } : {}) }, { key });
  const homes = decision.homes ?? [];
  const targets = homes.flatMap((one) => target.numberOf(one) ?? []);
  if (targets.length === 0) return { number };
  try {
    await session.call("set_replication_target", { deployment, runtime: number, targets }, { key: `${key}.homes` });
    return { number, homes };
  } catch {
    // It runs, and its replicas are where they may be by themselves: it is protected by the next decision.
    return { number };
  }
}

async function remove({ runtime, force }: Decision & { kind: "remove" }, target: DecisionTarget, key: string): Promise<Done> {
  const number = target.numberOf(runtime);
  if (number === undefined) return { isRemoved: true };
  try {
    await target.session.call("remove_runtime", { deployment: target.deployment, runtime: number, force, dry_run: false }, { key });
  } catch (error) {
    if (!(error instanceof NfError) || error.code !== "runtime.unknown") throw error;
  }
  return { isRemoved: true };
}
