/**
 * One dataplane, in direct mode or switched, from start to end: its events are taken while it runs, its report and flows are there when it has ended.
 *
 * Main thread only. A capture's lcore waits while the event ring is full, so events are taken in a loop as long as there are some.
 */
import type { NativeAddon, RunReport, RuntimeSpec } from "../dataplane/native_types.ts";
import { native, nativeAsync } from "../dataplane/native_error.ts";
import { Runtimes } from "../dataplane/runtimes.ts";
import type { EntryPlan } from "../config/plan.ts";
import { explainStart } from "../nf/config_refusal.ts";
import type { RunEvents } from "./run_events.ts";

/** How often an idle runtime is looked at. */
const IDLE_MS = { capture: 5, af_packet: 50 } as const;

export class NativeRun {
  readonly addon: NativeAddon;
  readonly id: number;
  /** In switched mode; undefined in direct mode. */
  readonly runtimes: Runtimes | undefined;
  readonly #events: RunEvents;
  readonly #idleMs: number;
  #ended = false;
  #timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
  #broken: unknown;

  private constructor(addon: NativeAddon, id: number, spec: RuntimeSpec, events: RunEvents) {
    this.addon = addon;
    this.id = id;
    this.runtimes = spec.switching && new Runtimes(addon, id);
    this.#events = events;
    this.#idleMs = IDLE_MS[spec.input.kind];
  }

  /** Rejects with NfError when the specification cannot be run; nothing is left behind then. */
  static async create(addon: NativeAddon, spec: RuntimeSpec, plans: readonly EntryPlan[], events: RunEvents): Promise<NativeRun> {
    const id = await nativeAsync(() => addon.createRuntime(spec)).catch((error: unknown) => {
      throw explainStart(error, plans);
    });
    return new NativeRun(addon, id, spec, events);
  }

  start(): void {
    native(() => this.addon.startRuntime(this.id));
    this.#pump();
  }

  /** Resolves when the runtime has ended by itself or was stopped, with all its events taken. */
  async ended(): Promise<RunReport> {
    const report = await nativeAsync(() => this.addon.waitRuntime(this.id));
    this.#ended = true;
    clearTimeout(this.#timer as NodeJS.Timeout);
    clearImmediate(this.#timer as NodeJS.Immediate);
    while (this.#take() > 0);
    if (this.#broken !== undefined) throw this.#broken;
    return report;
  }

  /** Asks it to end; `ended` resolves then. */
  stop(drain: boolean): void {
    if (!this.#ended) void nativeAsync(() => this.addon.stopRuntime(this.id, { drain })).catch((error: unknown) => (this.#broken ??= error));
  }

  destroy(): void {
    this.#ended = true;
    native(() => this.addon.destroyRuntime(this.id));
  }

  #pump(): void {
    if (this.#ended) return;
    let taken = 0;
    try {
      taken = this.#take();
    } catch (error) {
      this.#broken ??= error;
      this.stop(false);
      return;
    }
    this.#timer = taken > 0 ? setImmediate(() => this.#pump()) : setTimeout(() => this.#pump(), this.#idleMs);
  }

  #take(): number {
    const events = this.addon.drainEvents(this.id);
    for (const event of events) this.#events.take(event);
    return events.length;
  }
}
