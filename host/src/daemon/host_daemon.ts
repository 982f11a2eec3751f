/**
 * The daemon of a host: keeps deployments running, serves its controller, and is an agent for other hosts when it is told to. Without a controller it goes on
 * with what it was told; without it, what runs goes on.
 */
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { NfError } from "@nfactor/sdk/errors";
import { Agent } from "../agent/agent.ts";
import { type Clock, systemClock } from "../clock/clock.ts";
import type { Endpoint } from "../config/endpoint.ts";
import { ControllerLink, type ControllerLinkOptions, type Way } from "../identity/controller_link.ts";
import { endpointText } from "../identity/connect.ts";
import { readIdentity } from "../identity/identity.ts";
import type { ControllerSession } from "../identity/join.ts";
import { VERSION } from "../package.ts";
import type { RunResult } from "../result/run_result.ts";
import { checkLinkPort } from "../run/ports.ts";
import { pause } from "../session/again.ts";
import { fetchArtifact } from "../session/artifact.ts";
import type { HostInfo } from "../session/cluster_types.ts";
import type { HOST_METHODS } from "../session/host_methods.ts";
import type { Handlers } from "../session/method.ts";
import { ArtifactCache } from "./artifact_cache.ts";
import { checkSpec } from "./check_spec.ts";
import { type Children, RunChildren } from "./child.ts";
import { Deployment, type DeploymentOptions, noDeployment } from "./deployment.ts";
import type { DeploymentSpec } from "./deployment_spec.ts";
import { type Deployments, hostHandlers } from "./handlers.ts";
import { agentKey, defaultRoom, interfaces, memoryMb } from "./host_facts.ts";
import { StateFolder } from "./state_folder.ts";

const DEPLOYMENTS_MAX = 256;
const LOGS_MS = 10_000;
/** Of what the controller says its time is. */
const ALIVE_PART = 3;
const ALIVE_MS = 10_000;
const LEAVE_MS = 500;

export interface DaemonEvent {
  /** ms since 1970. */
  readonly at: number;
  readonly event: "connected" | "lost" | "deployment" | "agent" | "state";
  readonly deployment?: string;
  readonly text: string;
  /** Of a deployment that has ended: what became of its packets. */
  readonly packets?: RunResult["packets"];
}

export interface HostDaemonOptions {
  /** Folder of its own: orders, artifacts, identity. */
  readonly state: string;
  /** To the controller. Left out: what the host has goes on, and nothing new comes. */
  readonly way?: Way | undefined;
  /** Runtimes at once. Default: by CPUs and memory. */
  readonly room?: number | undefined;
  /** Takes runtimes of other hosts' deployments. */
  readonly agent?: { readonly listen: Endpoint; readonly iface: string } | undefined;
  readonly onEvent?: (event: DaemonEvent) => void;
  readonly clock?: Clock;
  readonly link?: Partial<Pick<ControllerLinkOptions, "backoff" | "random" | "session">>;
  /** Tests have their own. */
  readonly children?: Children;
  readonly check?: DeploymentOptions["check"];
  readonly fetch?: (digest: string, signal: AbortSignal) => Promise<Uint8Array>;
}

/** Rejects with NfError (host.state, host.socket, port.missing, …). */
export function startHostDaemon(options: HostDaemonOptions): Promise<HostDaemon> {
  return HostDaemon.start(options);
}

export class HostDaemon implements Deployments {
  readonly clock: Clock;
  readonly handlers: Handlers<typeof HOST_METHODS>;
  readonly #options: HostDaemonOptions;
  readonly #state: StateFolder;
  readonly #artifacts: ArtifactCache;
  readonly #children: Children;
  readonly #deployments = new Map<string, Deployment>();
  readonly #logs: NodeJS.Timeout;
  #link: ControllerLink | undefined;
  #agent: Agent | undefined;
  #agentKey: string | undefined;

  private constructor(options: HostDaemonOptions, state: StateFolder) {
    const { clock = systemClock, children = new RunChildren(clock) } = options;
    this.clock = clock;
    this.#options = options;
    this.#state = state;
    this.#children = children;
    this.#artifacts = new ArtifactCache(state.artifacts, options.fetch ?? ((digest, signal) => this.#fetch(digest, signal)));
    this.handlers = hostHandlers(this);
    // It also keeps the process alive while the controller is away.
    this.#logs = setInterval(() => this.#boundLogs(), LOGS_MS);
  }

  static async start(options: HostDaemonOptions): Promise<HostDaemon> {
    const state = StateFolder.open(options.state);
    const daemon = new HostDaemon(options, state);
    try {
      await daemon.#startAgent();
      for (const order of state.orders((folder, why) => daemon.#say({ event: "state", text: `${folder} is damaged, and is left alone: ${why}` })))
        daemon.#add(order.deployment).resume(order);
      daemon.#collect();
      if (options.way) daemon.#connect(options.way);
      return daemon;
    } catch (error) {
      await daemon.leave();
      throw error;
    }
  }

  /** Ends the daemon. What runs goes on, and the next daemon finds it: the names of those deployments. */
  async leave(): Promise<string[]> {
    clearInterval(this.#logs);
    // One that is just being greeted may take longer, and is no reason to stay.
    if (this.#link) await Promise.race([this.#link.stop(), sleep(LEAVE_MS)]);
    const left = [...this.#deployments.values()].filter(({ status }) => status !== undefined);
    await Promise.all(left.map((deployment) => deployment.leave()));
    for (const text of this.#agent?.leave() ?? []) this.#say({ event: "agent", text: `${text} goes on` });
    this.#state.release();
    return left.map(({ name }) => name);
  }

  /** Ends all deployments, with their flows. Rejects with NfError when one cannot be ended; the others are. */
  async endAll(): Promise<void> {
    const never = new AbortController().signal;
    const ended = await Promise.allSettled(this.all().map((deployment) => deployment.undeploy({ dry_run: false }, never)));
    for (const one of ended) if (one.status === "rejected") throw one.reason as NfError;
  }

  get name(): string {
    const { way } = this.#options;
    if (!way) return "";
    return "path" in way ? way.name : (readIdentity(way.identity)?.host ?? "");
  }

  info(): HostInfo {
    const { room = defaultRoom(), agent } = this.#options;
    return {
      ...{ name: this.name, version: VERSION, pid: process.pid, cpus: availableParallelism(), memory_mb: memoryMb(), room, interfaces: interfaces() },
      ...(agent && this.#agentKey !== undefined ? { agent: { address: endpointText(agent.listen), iface: agent.iface, key: this.#agentKey } } : {}),
    };
  }

  all(): readonly Deployment[] {
    return [...this.#deployments.values()];
  }

  get(name: string): Deployment {
    const deployment = this.#deployments.get(name);
    if (!deployment || !deployment.status) throw noDeployment(name);
    return deployment;
  }

  make(name: string): Deployment {
    const known = this.#deployments.get(name);
    if (known) return known;
    if (this.#deployments.size >= DEPLOYMENTS_MAX)
      throw new NfError("runtime.limit", `the host has ${DEPLOYMENTS_MAX} deployments, which is all that it takes`, { fix: "Deploy it to another host." });
    return this.#add(name);
  }

  #add(name: string): Deployment {
    const deployment = new Deployment(name, {
      children: this.#children,
      artifacts: this.#artifacts,
      folder: this.#state.deployment(name),
      clock: this.clock,
      say: (text, packets) => this.#say({ event: "deployment", deployment: name, text, ...(packets ? { packets } : {}) }),
      check: this.#options.check ?? ((run: string, spec: DeploymentSpec) => checkSpec(this.#state.path, run, spec, (digest) => this.#artifacts.pathOf(digest))),
      onChanged: () => this.#collect(),
    });
    this.#deployments.set(name, deployment);
    return deployment;
  }

  /** What nobody has or wants any more. */
  #collect(): void {
    for (const [name, deployment] of this.#deployments) if (deployment.isNothing) this.#deployments.delete(name);
    this.#artifacts.collect(new Set(this.all().flatMap(({ digests }) => digests)));
  }

  #boundLogs(): void {
    for (const { name } of this.all()) this.#state.deployment(name).boundLog();
  }

  async #startAgent(): Promise<void> {
    const { agent } = this.#options;
    if (!agent) return;
    const key = agentKey(this.#state.agentKey);
    checkLinkPort(agent.iface);
    this.#agent = await Agent.start({ ...agent, key, say: (text) => this.#say({ event: "agent", text }) });
    this.#agentKey = key.toString("hex");
    this.#say({ event: "agent", text: `listens on ${endpointText(agent.listen)} for runtimes of other hosts` });
  }

  #connect(way: Way): void {
    const where = "path" in way ? way.path : endpointText(way.endpoint);
    let isSaid = false;
    this.#link = new ControllerLink({
      ...this.#options.link,
      ...{ way, handlers: this.handlers, clock: this.clock },
      onSession: (session) => {
        isSaid = false;
        this.#say({ event: "connected", text: `connected to the controller at ${where}` });
        void this.#keepAlive(session);
      },
      onTrouble: (why) => {
        // Once, not with every attempt.
        if (!isSaid) this.#say({ event: "lost", text: `no controller at ${where}: ${why.message}; it is tried again, and what runs goes on` });
        isSaid = true;
      },
    });
    this.#link.start();
  }

  /** For as long as the session lasts. */
  async #keepAlive(session: ControllerSession): Promise<void> {
    const over = new AbortController();
    void session.closed.then((why) => over.abort(why));
    while (session.isOpen) {
      let waitMs = ALIVE_MS;
      try {
        const { ttl_seconds, authorities } = await session.call("keep_alive", {});
        waitMs = (ttl_seconds * 1000) / ALIVE_PART;
        await this.#link!.renewIfDue(authorities);
      } catch (error) {
        if (session.isOpen) this.#say({ event: "lost", text: `the controller refuses to keep the host: ${(error as Error).message}` });
      }
      await pause(this.clock, over.signal, waitMs).catch(() => undefined);
    }
  }

  #fetch(digest: string, signal: AbortSignal): Promise<Uint8Array> {
    if (this.#link) return fetchArtifact(this.#link, digest, { clock: this.clock, signal });
    throw new NfError("artifact.not_found", `the host has no artifact ${digest}, and no controller to ask for it`, { fix: "Start it with --controller." });
  }

  #say(event: Omit<DaemonEvent, "at">): void {
    this.#options.onEvent?.({ at: Date.now(), ...event });
  }
}
