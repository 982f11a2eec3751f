/** For tests: a host daemon in a folder of its own, whose children are control sockets of this process and keep to what real ones do. */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { NfError } from "@nfactor/sdk/errors";
import { runtimeJsonOf } from "../result/testing.ts";
import type { CallName, Request } from "../session/method.ts";
import type { HOST_METHODS } from "../session/host_methods.ts";
import type { Params, Result } from "../session/cluster_types.ts";
import type { Params as ControlParams } from "../rpc/protocol.ts";
import { ControlServer, type Handlers } from "../rpc/server.ts";
import type { Child, Children } from "./child.ts";
import { type DeploymentSpec, deploymentSpecSchema } from "./deployment_spec.ts";
import { type DaemonEvent, HostDaemon, type HostDaemonOptions } from "./host_daemon.ts";
import { runFileOf } from "./run_file.ts";
import type { DeploymentFolder } from "./state_folder.ts";

type Chain = { name: string; nf: string; config?: unknown }[];

/** What the fake processes of one run are, which outlive their supervisor. */
interface Members {
  chain: Chain;
  count: number;
}

class FakeChild implements Child {
  readonly id: { pid: number; start: string };
  readonly socket: string;
  readonly ended: Promise<NfError>;
  readonly signals: string[] = [];
  #end!: (why: NfError) => void;
  #server: Promise<ControlServer> | undefined;
  hasEnded = false;

  constructor(pid: number, socket: string) {
    this.id = { pid, start: "1" };
    this.socket = socket;
    this.ended = new Promise((done) => (this.#end = done));
  }

  listen(handlers: Handlers): void {
    this.#server = ControlServer.listen(this.socket, handlers);
  }

  async end(why: NfError): Promise<void> {
    this.hasEnded = true;
    await (await this.#server)?.close();
    this.#end(why);
  }

  onSignal: (signal: string) => void = () => undefined;
  signal(signal: "SIGTERM" | "SIGKILL"): void {
    this.signals.push(signal);
    this.onSignal(signal);
  }
  abandon(): void {
    // It goes on.
  }
}

export class FakeChildren implements Children {
  readonly #folder = mkdtempSync(join(tmpdir(), "nfa-children-"));
  readonly #living = new Map<string, FakeChild>();
  readonly members = new Map<string, Members>();
  /** In order: what was swapped in, as `<entry>=<digest or configuration>`. */
  readonly swaps: string[] = [];
  /** Runs whose start is refused, and why. */
  readonly refuse = new Map<string, NfError>();
  /** Runs that are another daemon's. */
  readonly others = new Set<string>();
  /** Called before a swap is done; what it throws is its answer. */
  onSwap: (params: ControlParams<"swap">) => Promise<void> | void = () => undefined;
  flows = 7;
  starts = 0;
  #pid = 1000;

  start(run: string, folder: DeploymentFolder): Child {
    this.starts += 1;
    const child = new FakeChild(++this.#pid, join(this.#folder, `${run}.${this.#pid}`));
    const { chain, runtimes } = JSON.parse(readFileSync(folder.runFile, "utf8")) as { chain: Chain; runtimes: { count: number } };
    const there = this.members.get(run);
    const refusal = this.refuse.get(run) ?? (there && !isDeepStrictEqual(there.chain, chain) ? new NfError("host.settings", "with other settings") : undefined);
    if (refusal) {
      void child.end(refusal);
      return child;
    }
    this.members.set(run, there ?? { chain, count: runtimes.count });
    this.#living.set(run, child);
    child.onSignal = (signal) => void this.#signal(run, signal);
    child.listen(this.#handlers(run, child));
    return child;
  }

  async find(run: string): Promise<Child | undefined> {
    if (this.others.has(run)) throw new NfError("host.settings", `'${run}' is another daemon's`);
    return this.#living.get(run);
  }
  hasProcesses(run: string): boolean {
    return this.members.has(run);
  }
  endProcesses(run: string): void {
    this.members.delete(run);
  }

  /** kill -9: its processes go on. */
  async kill(run: string): Promise<void> {
    const child = this.#living.get(run)!;
    this.#living.delete(run);
    await child.end(new NfError("host.not_running", "its supervisor has ended by SIGKILL"));
  }

  async close(): Promise<void> {
    for (const run of this.#living.keys()) await this.kill(run);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #signal(run: string, signal: string): Promise<void> {
    if (signal === "SIGTERM") this.members.delete(run);
    await this.kill(run);
  }

  #handlers(run: string, child: FakeChild): Handlers {
    const members = this.members.get(run)!;
    const handlers: Partial<Handlers> = {
      info: async () => ({ name: run, pid: child.id.pid, version: "0", chain: [] }),
      runtimes: async () => ({ at_us: 1, runtimes: [0, 1, 2].map((runtime) => runtimeJsonOf(runtime, { flows: runtime === 1 ? this.flows : 0 })) }),
      trace_start: async () => ({ trace: 5, entries: ["a"] }),
      trace_read: async ({ trace }) => {
        if (trace !== 5) throw new NfError("trace.ended", "this trace has ended");
        return { packets: [], totals: { packets: 3, matched: 4, missed: 1, lost_hops: 0 }, done: true };
      },
      recover: async () => {
        throw new NfError("runtime.last", "runtime 1 is the only one", { fix: "add another one" });
      },
      swap: async (params) => {
        await this.onSwap(params);
        const digest = createHash("sha256").update(params.artifact).digest("hex");
        const entry = members.chain.find(({ name }) => name === params.entry)!;
        if (!params.dry_run) {
          this.swaps.push(`${params.entry}=${Buffer.from(params.artifact).toString()} ${params.config!.text}`);
          const config = JSON.parse(params.config!.text) as unknown;
          entry.nf = join(entry.nf, "..", digest);
          if (config === null) delete entry.config;
          else entry.config = config;
        }
        const version = { name: params.entry, version: "1.0.0", digest: basename(entry.nf) };
        return { entry: params.entry, dry_run: params.dry_run, from: version, to: { ...version, digest }, ...NO_SWAP };
      },
    };
    return handlers as Handlers;
  }
}

const NO_SWAP = { flows: 7, pause_ns: 1, burst_ns: 1, prepare_ms: 1, packets_dropped: 0 };

export class TestHost {
  readonly folder = mkdtempSync(join(tmpdir(), "nfa-host-"));
  readonly children = new FakeChildren();
  readonly events: DaemonEvent[] = [];
  /** At the controller, by digest. */
  readonly artifacts = new Map<string, Buffer>();
  /** Digests, in order, that the host has fetched. */
  readonly fetched: string[] = [];
  check: (run: string, spec: DeploymentSpec) => Promise<void> = async () => undefined;
  daemon!: HostDaemon;

  async start(options: Partial<HostDaemonOptions> = {}): Promise<void> {
    this.daemon = await HostDaemon.start({
      ...{ state: this.folder, children: this.children, onEvent: (event) => this.events.push(event) },
      check: (run, spec) => this.check(run, spec),
      fetch: async (digest) => {
        this.fetched.push(digest);
        const found = this.artifacts.get(digest);
        if (found) return found;
        throw new NfError("artifact.not_found", `no artifact ${digest}`);
      },
      ...options,
    });
  }

  async restart(): Promise<void> {
    await this.daemon.leave();
    await this.start();
  }

  async close(): Promise<void> {
    await this.daemon.leave();
    await this.children.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** An artifact with these contents, which the controller has. */
  artifact(text: string): string {
    const bytes = Buffer.from(text);
    const digest = createHash("sha256").update(bytes).digest("hex");
    this.artifacts.set(digest, bytes);
    return digest;
  }

  /** A chain of entries `a`, `b`, … of NFs with these contents. */
  spec(nfs: readonly string[], more: Record<string, unknown> = {}, configs: readonly unknown[] = []): DeploymentSpec {
    return deploymentSpecSchema.parse({
      ports: { client: { iface: "c0" }, server: { iface: "s0" } },
      chain: nfs.map((nf, i) => ({
        name: "abcdefgh"[i],
        nf: { name: "nf", version: "1.0.0", digest: this.artifact(nf) },
        ...(configs[i] === undefined ? {} : { config: configs[i] }),
      })),
      ...more,
    });
  }

  call<N extends CallName<typeof HOST_METHODS>>(name: N, params: Params<N>, signal = new AbortController().signal): Promise<Result<N>> {
    const request: Request = { peer: { name: "controller", software: "test", life: "1" }, signal, key: undefined };
    const handler = this.daemon.handlers[name] as unknown as (params: Params<N>, request: Request) => Promise<Result<N>>;
    return handler(params, request);
  }

  deploy(revision: number, spec: DeploymentSpec, more: { replace?: boolean; dry_run?: boolean } = {}): Promise<Result<"deploy">> {
    return this.call("deploy", { deployment: "blue/web", revision, spec, replace: false, dry_run: false, ...more });
  }

  async status(): Promise<Result<"deployments">["deployments"][number] | undefined> {
    return (await this.call("deployments", {})).deployments.find(({ deployment }) => deployment === "blue/web");
  }

  /** Turns of the event loop until it is so. */
  async until(isSo: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await isSo())) await new Promise((done) => setTimeout(done, 2));
  }

  /** What lies in the daemon's folder of the deployment. */
  order(): { revision: number; spec: DeploymentSpec; next?: object } {
    return JSON.parse(readFileSync(join(this.folder, "deployments/blue.web/order.json"), "utf8")) as ReturnType<TestHost["order"]>;
  }
  pathOf(digest: string): string {
    return join(this.folder, "artifacts", digest);
  }
  runFile(spec: DeploymentSpec): Chain {
    return (JSON.parse(runFileOf(spec, (digest) => this.pathOf(digest))) as { chain: Chain }).chain;
  }
}
