/**
 * What the control socket of a host can ask about its runtimes: look at them, add and remove them, move their flows.
 *
 * Operations go on in the dataplane and end there, whoever has asked for them; here they are started, waited for and told to the person at the host's
 * terminal. A dry run checks and counts, and changes nothing.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { NfError } from "@nfactor/sdk/errors";
import { machineUs } from "../clock/clock.ts";
import type { Dataplane } from "../dataplane/dataplane.ts";
import { Runtimes } from "../dataplane/runtimes.ts";
import { flowJson } from "../result/flow_json.ts";
import { parseFlowMatch } from "../result/flow_match.ts";
import { type NfHealthJson, operationJson, runtimeJson } from "../result/runtimes_result.ts";
import { operationText, recoveryText } from "../result/runtimes_text.ts";
import { plural } from "../result/text.ts";
import type { Params, Result } from "../rpc/protocol.ts";
import type { Handlers } from "../rpc/server.ts";
import { eachFlow } from "./each_flow.ts";
import type { LiveEntry } from "./live_chain.ts";

/** More flows than a dataplane can have. */
const ALL_FLOWS = 2 ** 32 - 1;
/** Flow ids are picked out and handed over as one list. */
const CHOSEN_FLOWS_MAX = 1_000_000;
/** Flows that ended meanwhile are neither recovered nor lost: so long nothing has happened when nothing more will. */
const RECOVERY_QUIET_MS = 1000;

export interface LiveRuntimesOptions {
  dataplane: Dataplane;
  chain: readonly LiveEntry[];
  /** The last fault of an entry's present version, in words. */
  lastFault?: (entry: string, version: string) => string | undefined;
  /** Tells the person at the host's terminal. */
  say(text: string): void;
}

export class LiveRuntimes implements Omit<Handlers, "info" | "flows" | "swap" | "trace_start" | "trace_read" | "trace_stop"> {
  readonly #options: LiveRuntimesOptions;
  readonly #runtimes: Runtimes;

  constructor(options: LiveRuntimesOptions) {
    this.#options = options;
    this.#runtimes = new Runtimes(options.dataplane);
  }

  readonly runtimes = async (): Promise<Result<"runtimes">> => ({
    at_us: machineUs(),
    runtimes: this.#runtimes.status().map(runtimeJson),
    nfs: this.#nfs(),
  });

  #nfs(): NfHealthJson[] {
    const { dataplane, lastFault } = this.#options;
    return dataplane.counters().nfs.map(({ entry, version, faults, quarantined }) => {
      const last_fault = lastFault?.(entry, version);
      return { entry, version, faults: Number(faults), quarantined, ...(last_fault === undefined ? {} : { last_fault }) };
    });
  }

  readonly add_runtime = async ({ at }: Params<"add_runtime">): Promise<Result<"add_runtime">> => {
    const runtime = await this.#runtimes.add({ at });
    const { lcore, process: { pid, agent } = {} } = this.#runtimes.get(runtime);
    const where = agent === undefined ? "" : at === agent ? ` at ${agent}` : ` at peer '${at}' (${agent})`;
    this.#options.say(`runtime ${runtime} was added, ${pid === undefined ? `on lcore ${lcore}` : `as process ${pid}${where}`}`);
    return { runtime, lcore, ...(pid === undefined ? {} : { pid }) };
  };

  readonly remove_runtime = async ({ runtime, force, dry_run }: Params<"remove_runtime">): Promise<Result<"remove_runtime">> => {
    const { flowsOpen } = this.#runtimes.get(runtime);
    if (this.#runtimes.others(runtime).length === 0)
      throw new NfError("runtime.last", `runtime ${runtime} is the only one`, { fix: "Stop the host, or add another one first: 'nfactor runtimes add'." });
    if (flowsOpen > 0 && !force)
      throw new NfError("runtime.not_empty", `runtime ${runtime} has ${plural(flowsOpen, "flow")}, which would end with it`, {
        fix: `Move them away first with 'nfactor drain ${runtime}', or let them end with --force.`,
      });
    if (!dry_run) {
      await this.#runtimes.remove(runtime, { force });
      this.#options.say(`runtime ${runtime} was removed${flowsOpen > 0 ? `, and ${plural(flowsOpen, "flow")} ended with it` : ""}`);
    }
    return { runtime, dry_run, flows_ended: flowsOpen };
  };

  readonly migrate = async ({ from, to, flows, dry_run }: Params<"migrate">): Promise<Result<"migrate">> => {
    this.#runtimes.requirePair(from, to);
    const there = this.#runtimes.get(from).flowsOpen;
    const flowIds = "match" in flows ? await this.#chosen(from, flows.match) : undefined;
    const about = flowIds?.length ?? ("count" in flows ? Math.min(flows.count, there) : there);
    if (dry_run) return { from, to, ...this.#wouldMove(about, [to]) };
    const report = await this.#runtimes.migrate(flowIds ? { from, to, flowIds } : { from, to, count: "count" in flows ? flows.count : ALL_FLOWS });
    const result = { from, to, ...operationJson(about, report) };
    this.#options.say(operationText(`runtime ${from} → ${to}`, from, result));
    return result;
  };

  readonly drain = async ({ runtime, to, dry_run }: Params<"drain">): Promise<Result<"drain">> => {
    const { flowsOpen } = this.#runtimes.get(runtime);
    const targets = this.#runtimes.drainTargets(runtime, to);
    if (dry_run) return { runtime, to: targets, ...this.#wouldMove(flowsOpen, targets) };
    const report = await this.#runtimes.drain(runtime, { to });
    const result = { runtime, to: targets, ...operationJson(flowsOpen, report) };
    this.#options.say(operationText(`drain of runtime ${runtime}`, runtime, result));
    return result;
  };

  readonly recover = async ({ runtime, dry_run }: Params<"recover">): Promise<Result<"recover">> => {
    this.#runtimes.requireNotLast(runtime);
    const { flowsOpen: flows, unprotected, process } = this.#runtimes.get(runtime);
    const restarts = process !== undefined;
    if (dry_run) {
      // Without replication there are no replicas, and without flows none either.
      const replicas = this.#runtimes.status().reduce((sum, one) => sum + (one.runtime === runtime ? 0 : one.replicas), 0);
      const recovered = Math.min(Math.max(flows - unprotected, 0), replicas);
      return { runtime, dry_run, flows, recovered, lost: flows - recovered, duration_ns: 0, restarts };
    }
    const begin = performance.now();
    const before = this.#recoveries(runtime);
    await this.#runtimes.declareDead(runtime);
    let [now, changed] = [this.#recoveries(runtime), performance.now()];
    while (now.recovered + now.lost < before.recovered + before.lost + flows && performance.now() - changed < RECOVERY_QUIET_MS) {
      await sleep(1);
      const next = this.#recoveries(runtime);
      if (next.recovered !== now.recovered || next.lost !== now.lost) changed = performance.now();
      now = next;
    }
    const recovered = Math.max(now.recovered - before.recovered, 0);
    const duration_ns = Math.round((changed - begin) * 1e6);
    const result = { runtime, dry_run, flows, recovered, lost: Math.max(now.lost - before.lost, 0), duration_ns, restarts };
    this.#options.say(recoveryText(result));
    return result;
  };

  /** Flows that the others have made of replicas, and those that the vswitch has given up. */
  #recoveries(without: number): { recovered: number; lost: number } {
    const sums = { recovered: 0, lost: 0 };
    for (const { runtime, recovered, stateLost } of this.#runtimes.status()) {
      if (runtime === 0) sums.lost += Number(stateLost);
      else if (runtime !== without) sums.recovered += Number(recovered);
    }
    return sums;
  }

  readonly set_replication_target = async ({ runtime, targets }: Params<"set_replication_target">): Promise<Result<"set_replication_target">> => {
    await this.#runtimes.setReplicationTargets(runtime, targets);
    const where = targets.length === 0 ? "any other runtime" : `runtime ${targets.join(", ")} as long as one of them can keep them`;
    this.#options.say(`replicas of runtime ${runtime}: at ${where}`);
    return {};
  };

  readonly peers = async (): Promise<Result<"peers">> => ({
    peers: (await this.#options.dataplane.peers()).map(({ name, address, iface, runtimes, isReachable }) => ({
      ...(name === undefined ? {} : { name }),
      ...{ address, iface, runtimes },
      ...(isReachable === undefined ? {} : { reachable: isReachable }),
    })),
  });

  readonly configure_peers = async ({ peers, ...change }: Params<"configure_peers">): Promise<Result<"configure_peers">> => {
    const used = await this.#options.dataplane.configurePeers(peers, change);
    const names = peers.map(({ name, address }) => `${name} (${address})`).join(", ");
    this.#options.say(
      `${names === "" ? "there are no peers" : `peers: ${names}`}${used.length === 0 ? "" : `; until their runtimes are removed: ${used.join(", ")}`}`,
    );
    return { peers: peers.length, ...(used.length === 0 ? {} : { used }) };
  };

  readonly undrain = async ({ runtime }: Params<"undrain">): Promise<Result<"undrain">> => {
    const { draining } = this.#runtimes.get(runtime);
    await this.#runtimes.undrain(runtime);
    if (draining) this.#options.say(`runtime ${runtime} takes new flows again`);
    return { runtime, was_draining: draining };
  };

  /** Ids of the runtime's flows that match at least one of the lists of words. Throws NfError runtime.no_flow when there are none. */
  async #chosen(runtime: number, lists: readonly string[][]): Promise<bigint[]> {
    const matches = lists.map((words) => parseFlowMatch(words, "--flow"));
    const states = this.#options.chain.map(({ nf }) => nf);
    const ids = new Set<bigint>();
    let seen = 0;
    for await (const native of eachFlow(this.#options.dataplane, runtime)) {
      seen += 1;
      const flow = flowJson(native, states);
      if (matches.some((match) => match(flow))) ids.add(native.flowId);
      if (ids.size > CHOSEN_FLOWS_MAX)
        throw new NfError("usage", "--flow: too many flows match", { allowed: `${CHOSEN_FLOWS_MAX} at most`, fix: "Move them all with --all." });
    }
    if (ids.size === 0) {
      const wanted = lists.map((words) => `'${words.join(" ")}'`).join(" or ");
      throw new NfError("runtime.no_flow", `of the ${plural(seen, "flow")} of runtime ${runtime} none matches ${wanted}`, {
        fix: `'nfactor flows --runtime ${runtime}' lists them.`,
      });
    }
    return [...ids];
  }

  #wouldMove(flows: number, targets: readonly number[]) {
    const isRefused = targets.every((target) => this.#runtimes.get(target).draining);
    return {
      dry_run: true,
      flows,
      moved: 0,
      failed: 0,
      reason: isRefused ? ("draining" as const) : ("none" as const),
      drained: false,
      undrained: false,
      duration_ns: 0,
    };
  }
}
