/** A dataplane in this process: one of the addon's, by its number there, with the addon's errors as the project's own. */
import { z } from "zod";
import { type TraceBatch, type TraceWanted, traceReadAnswer } from "../trace/records.ts";
import type { Dataplane } from "./dataplane.ts";
import { native, nativeAsync, nativeError } from "./native_error.ts";
import type {
  CountersSnapshot,
  FlowsOptions,
  FlowsPage,
  MigrateOptions,
  NativeAddon,
  NativeEvent,
  NfSpec,
  OperationReport,
  RunReport,
  RuntimeSpec,
  RuntimeStatus,
  SwapReport,
} from "./native_types.ts";

const traceAnswers = z.array(traceReadAnswer.extend({ member: z.int().min(0) }));

export class AddonDataplane implements Dataplane {
  readonly switched: boolean;
  readonly #addon: NativeAddon;
  readonly #id: number;
  #traceEndMs = 0;

  private constructor(addon: NativeAddon, id: number, switched: boolean) {
    this.#addon = addon;
    this.#id = id;
    this.switched = switched;
  }

  /** Rejects with NfError when the specification cannot be run; nothing is left behind then. */
  static async create(addon: NativeAddon, spec: RuntimeSpec): Promise<AddonDataplane> {
    return new AddonDataplane(addon, await nativeAsync(() => addon.createRuntime(spec)), spec.switching !== undefined);
  }

  async start(): Promise<void> {
    native(() => this.#addon.startRuntime(this.#id));
  }

  stop(options: { drain: boolean }): Promise<RunReport> {
    return nativeAsync(() => this.#addon.stopRuntime(this.#id, options));
  }

  ended(): Promise<RunReport> {
    return nativeAsync(() => this.#addon.waitRuntime(this.#id));
  }

  async destroy(): Promise<void> {
    native(() => this.#addon.destroyRuntime(this.#id));
  }

  counters(): CountersSnapshot {
    return native(() => this.#addon.counters(this.#id));
  }

  drainEvents(): NativeEvent[] {
    return native(() => this.#addon.drainEvents(this.#id));
  }

  flows(options: FlowsOptions): Promise<FlowsPage> {
    return nativeAsync(() => this.#addon.flows(this.#id, options));
  }

  swap(entry: string, nf: NfSpec): Promise<SwapReport> {
    return nativeAsync(() => this.#addon.swap(this.#id, entry, nf));
  }

  async traceStart({ id, filter, packets, ms, frameBytes, point }: TraceWanted): Promise<void> {
    this.#traceEndMs = performance.now() + ms;
    await this.#trace({ do: "trace_start", trace: id, filter, packets, ms, frameBytes, point });
  }

  async traceRead(wanted: TraceWanted): Promise<TraceBatch[]> {
    const answers = traceAnswers.parse(await this.#trace({ do: "trace_read", trace: wanted.id, packets: wanted.packets }));
    // A runtime that was added meanwhile records too, from now on.
    if (this.switched && this.runtimes().length > answers.length)
      await this.traceStart({ ...wanted, ms: Math.max(1, Math.round(this.#traceEndMs - performance.now())) });
    return answers.map((answer) => ({ ...answer, isRemote: false }));
  }

  async traceStop(id: number): Promise<void> {
    await this.#trace({ do: "trace_stop", trace: id });
  }

  async #trace(request: object): Promise<unknown> {
    return JSON.parse(await nativeAsync(() => this.#addon.trace(this.#id, JSON.stringify(request))));
  }

  runtimes(): RuntimeStatus[] {
    return native(() => this.#addon.runtimes(this.#id));
  }

  async addRuntime({ at }: { at?: string | undefined } = {}): Promise<number> {
    if (at !== undefined) throw nativeError("runtime.in_process", "all runtimes of this host are in one process");
    return nativeAsync(() => this.#addon.addRuntime(this.#id));
  }

  removeRuntime(runtime: number, options: { force: boolean }): Promise<void> {
    return nativeAsync(() => this.#addon.removeRuntime(this.#id, runtime, options));
  }

  /** There is no process to kill: what is removed by force is as dead to the others. */
  declareDead(runtime: number): Promise<void> {
    return this.removeRuntime(runtime, { force: true });
  }

  migrate(options: MigrateOptions): Promise<OperationReport> {
    return nativeAsync(() => this.#addon.migrate(this.#id, options));
  }

  drain(runtime: number, options: { to: number[] }): Promise<OperationReport> {
    return nativeAsync(() => this.#addon.drain(this.#id, runtime, options));
  }

  undrain(runtime: number): Promise<void> {
    return nativeAsync(() => this.#addon.undrain(this.#id, runtime));
  }

  async setReplicationTargets(): Promise<never> {
    throw nativeError("runtime.in_process", "all runtimes of this host are in one process, so their replicas are, too");
  }
  async peers(): Promise<never> {
    throw nativeError("runtime.in_process", "all runtimes of this host are in one process");
  }
  configurePeers(): Promise<never> {
    return this.peers();
  }
}
