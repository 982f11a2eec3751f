/**
 * The chain of a running host as the host knows it, and what its control socket can ask about it: info, flows, swap.
 *
 * Swaps are done one after the other (server.ts). The dataplane holds its own chain; this one is changed only after a swap has succeeded there, and in
 * one step, so that a listing of flows meanwhile sees either one: the layouts of states are the same.
 */
import { NfError } from "@nfactor/sdk/errors";
import { nearest } from "@nfactor/sdk/manifest";
import type { Handlers } from "../rpc/server.ts";
import { eachFlow } from "./each_flow.ts";
import type { Params, Result } from "../rpc/protocol.ts";
import type { Dataplane } from "../dataplane/dataplane.ts";
import { Runtimes } from "../dataplane/runtimes.ts";
import { nfSpec } from "../dataplane/runtime_spec.ts";
import { type EntryPlan, parseConfigText } from "../config/plan.ts";
import { explainStart } from "../nf/config_refusal.ts";
import { compileNf } from "../nf/compile.ts";
import { layoutDiffText } from "../nf/layout_diff.ts";
import { type PreparedNf, admitAndPrepare } from "../nf/prepare.ts";
import { beyondGrant } from "../nf/rights.ts";
import { flowJson } from "../result/flow_json.ts";
import { parseFlowMatch } from "../result/flow_match.ts";
import { plural } from "../result/text.ts";
import { FRAME_BYTES_MAX } from "../rpc/frame.ts";
import type { RunEvents } from "../run/run_events.ts";
import { VERSION } from "../package.ts";

/** A response stays below the frame's limit with room to spare. */
const RESPONSE_BYTES_MAX = FRAME_BYTES_MAX / 2;

export interface LiveEntry {
  plan: EntryPlan;
  nf: PreparedNf;
}

export interface LiveChainOptions {
  name: string;
  dataplane: Dataplane;
  chain: LiveEntry[];
  events: RunEvents;
  /** Tells the person at the host's terminal. */
  say(text: string): void;
}

export class LiveChain implements Pick<Handlers, "info" | "flows" | "swap"> {
  readonly #options: LiveChainOptions;

  constructor(options: LiveChainOptions) {
    this.#options = options;
  }

  readonly info = async (): Promise<Result<"info">> => {
    const { name, chain } = this.#options;
    return {
      name,
      pid: process.pid,
      version: VERSION,
      chain: chain.map(({ nf }) => ({ entry: nf.entry, nf: nf.manifest.name, version: nf.manifest.version, digest: nf.digest })),
    };
  };

  readonly flows = async ({ match, limit, runtime }: Params<"flows">): Promise<Result<"flows">> => {
    const { dataplane, chain } = this.#options;
    const matches = parseFlowMatch(match);
    const states = chain.map(({ nf }) => nf);
    const result: Result<"flows"> = { flows: [], seen: 0, more: false };
    let bytes = 0;
    if (runtime !== undefined) new Runtimes(dataplane).get(runtime);
    for await (const native of eachFlow(dataplane, runtime)) {
      const flow = { ...flowJson(native, states), ...(native.runtime > 0 ? { runtime: native.runtime } : {}) };
      result.seen += 1;
      if (!matches(flow)) continue;
      bytes += JSON.stringify(flow).length;
      if (result.flows.length >= limit || bytes > RESPONSE_BYTES_MAX) return { ...result, more: true };
      result.flows.push(flow);
    }
    return result;
  };

  readonly swap = async (params: Params<"swap">): Promise<Result<"swap">> => {
    const { dataplane, events, say } = this.#options;
    const from = performance.now();
    const entry = this.#entry(params.entry);
    const config = params.config && parseConfigText(params.config.text, params.config.file);
    const plan: EntryPlan = {
      ...entry.plan,
      ...(config ? { config: config.value, configPlace: config.where } : {}),
      ...(params.grant ? { grant: params.grant, grantPlace: undefined } : {}),
    };
    const running = entry.nf;
    const next = await admitAndPrepare(
      {
        component: params.artifact,
        sourceMap: params.source_map && Buffer.from(params.source_map).toString("utf8"),
        shown: params.folder,
        folder: params.folder,
        warnings: [],
      },
      plan,
      {
        beforeConfig: ({ manifest, stateSchema }) => {
          requireSameLayout(running, stateSchema, manifest.version);
          const beyond = plan.grant === "all" ? [] : beyondGrant(manifest.rights, plan.grant);
          if (beyond.length > 0) {
            throw new NfError(
              "swap.rights",
              `${manifest.name} ${manifest.version} asks for '${beyond.join(", ")}', which entry '${plan.name}' was not granted`,
              { fix: `If it may have that, add --grant ${beyond.map((right) => right.replace(": ", ":")).join(",")}.` },
            );
          }
        },
      },
    );
    const native = await compileNf(next.core, next.digest);
    const versions = { entry: plan.name, from: versionOf(running), to: versionOf(next) };
    if (params.dry_run) {
      const counters = dataplane.counters();
      return { ...versions, dry_run: true, flows: counters.flowsOpen, pause_ns: 0, burst_ns: 0, prepare_ms: performance.now() - from, packets_dropped: 0 };
    }
    events.know(next);
    const report = await dataplane.swap(plan.name, nfSpec(next, native)).catch((error: unknown) => {
      throw explainStart(error, [plan]);
    });
    entry.plan = plan;
    entry.nf = next;
    say(
      `swap  ${plan.name}: ${running.manifest.version} → ${next.manifest.version} (sha256:${next.digest.slice(0, 12)}), ${plural(report.flows, "flow")} kept`,
    );
    return {
      ...versions,
      dry_run: false,
      flows: report.flows,
      pause_ns: Number(report.pauseNs),
      burst_ns: Number(report.burstNs),
      prepare_ms: performance.now() - from,
      packets_dropped: Number(report.packetsDropped),
    };
  };

  #entry(name: string): LiveEntry {
    const { chain } = this.#options;
    const entry = chain.find(({ nf }) => nf.entry === name);
    if (entry) return entry;
    const names = chain.map(({ nf }) => nf.entry);
    const meant = nearest(name, names);
    throw new NfError("swap.entry", `the chain has no entry '${name}'`, {
      given: name,
      allowed: names.join(", "),
      fix: meant === undefined ? undefined : `Did you mean '${meant}'?`,
    });
  }
}

const versionOf = ({ manifest, digest }: PreparedNf) => ({ name: manifest.name, version: manifest.version, digest });

function requireSameLayout(running: PreparedNf, next: PreparedNf["stateSchema"], version: string): void {
  if (running.stateSchema.digest === next.digest) return;
  throw new NfError(
    "swap.layout",
    `the state layout of version ${version} is not that of the running version ${running.manifest.version}, so the flows' states cannot be kept`,
    {
      given: layoutDiffText(running.stateSchema, next),
      fix: "Keep the fields of the flow state as they are, or start the chain anew with the new version, which ends its flows. Nothing was changed.",
    },
  );
}
