/**
 * One dataplane, in direct mode or switched, from start to end: its events are taken while it runs, its report and flows are there when it has ended.
 *
 * Main thread only. A capture's lcore waits while the event ring is full, so events are taken in a loop as long as there are some.
 */
import type { Dataplane } from "../dataplane/dataplane.ts";
import type { RunReport, RuntimeInput } from "../dataplane/native_types.ts";
import { Runtimes } from "../dataplane/runtimes.ts";
import type { EntryPlan } from "../config/plan.ts";
import { explainStart } from "../nf/config_refusal.ts";
import type { RunEvents } from "./run_events.ts";

/** How often an idle dataplane is looked at. */
const IDLE_MS: Record<RuntimeInput["kind"], number> = { capture: 5, af_packet: 50 };

export class NativeRun {
  readonly dataplane: Dataplane;
  /** In switched mode; undefined in direct mode. */
  readonly runtimes: Runtimes | undefined;
  readonly #events: RunEvents;
  readonly #idleMs: number;
  #ended = false;
  #timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
  #broken: unknown;

  private constructor(dataplane: Dataplane, input: RuntimeInput["kind"], events: RunEvents) {
    this.dataplane = dataplane;
    this.runtimes = dataplane.switched ? new Runtimes(dataplane) : undefined;
    this.#events = events;
    this.#idleMs = IDLE_MS[input];
  }

  /** `made` is the dataplane that is being made. Rejects with NfError when it cannot be, and says where in the plans the cause is. */
  static async create(made: Promise<Dataplane>, input: RuntimeInput["kind"], plans: readonly EntryPlan[], events: RunEvents): Promise<NativeRun> {
    const dataplane = await made.catch((error: unknown) => {
      throw explainStart(error, plans);
    });
    return new NativeRun(dataplane, input, events);
  }

  async start(): Promise<void> {
    await this.dataplane.start();
    this.#pump();
  }

  /** Resolves when the runtime has ended by itself or was stopped, with all its events taken. */
  async ended(): Promise<RunReport> {
    const report = await this.dataplane.ended();
    this.#ended = true;
    clearTimeout(this.#timer as NodeJS.Timeout);
    clearImmediate(this.#timer as NodeJS.Immediate);
    while (this.#take() > 0);
    if (this.#broken !== undefined) throw this.#broken;
    return report;
  }

  /** Asks it to end; `ended` resolves then. */
  stop(drain: boolean): void {
    if (!this.#ended) void this.dataplane.stop({ drain }).catch((error: unknown) => (this.#broken ??= error));
  }

  async destroy(): Promise<void> {
    this.#ended = true;
    await this.dataplane.destroy();
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
    const events = this.dataplane.drainEvents();
    for (const event of events) this.#events.take(event);
    return events.length;
  }
}
