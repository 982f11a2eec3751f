/**
 * The runtimes behind the virtual switch of one dataplane: what they do, more and fewer of them, and flows that move between them.
 *
 * JavaScript starts an operation and is told how it ends; the flows move without it. Several operations may go on at once, also from and to the same
 * runtime. Runtimes are numbered from 1. Main thread only. In direct mode every method throws or rejects with NfError runtime.direct, after the
 * dataplane was destroyed with runtime.not_found.
 */
import { NfError } from "@nfactor/sdk/errors";
import type { Dataplane } from "./dataplane.ts";
import { unknownRuntime } from "./native_error.ts";
import type { MigrateOptions, OperationReport, RuntimeStatus } from "./native_types.ts";

const VSWITCH = 0;
const FLOWS_MAX = 2 ** 32 - 1;
const NO_OTHER = "Add another one first: 'nfactor runtimes add'.";

export class Runtimes {
  readonly #dataplane: Dataplane;

  constructor(dataplane: Dataplane) {
    this.#dataplane = dataplane;
  }

  /** The vswitch (number 0), then the runtimes, with their counters since the start. Cheap enough for every refresh of a view. */
  status(): RuntimeStatus[] {
    return this.#dataplane.runtimes();
  }

  /** One runtime, not the vswitch. Throws NfError runtime.unknown, which says which ones there are. */
  get(runtime: number): RuntimeStatus {
    const all = this.status().filter((one) => one.runtime !== VSWITCH);
    const found = all.find((one) => one.runtime === runtime);
    if (found) return found;
    throw unknownRuntime(
      runtime,
      all.map((one) => one.runtime),
    );
  }

  /**
   * Starts another runtime with the chain as it runs now, on this machine or `at` a peer (its name; or the address of an agent that was configured); resolves
   * with its number when it takes flows. Rejects with NfError runtime.limit, eal.memory, nf.start; of a peer also peer.unknown, host.socket, usage.
   */
  add(options: { at?: string | undefined } = {}): Promise<number> {
    return this.#dataplane.addRuntime(options);
  }

  /**
   * Takes a runtime away, for good. Rejects with NfError runtime.unknown, runtime.last, and runtime.not_empty while it has flows; with `force` these end
   * with it, and what comes for them later opens new flows elsewhere.
   */
  async remove(runtime: number, { force = false }: { force?: boolean } = {}): Promise<void> {
    this.get(runtime);
    await this.#dataplane.removeRuntime(runtime, { force });
  }

  /** Rejects with NfError runtime.unknown, runtime.last. */
  async declareDead(runtime: number): Promise<void> {
    this.requireNotLast(runtime);
    await this.#dataplane.declareDead(runtime);
  }

  /** Throws NfError runtime.unknown, runtime.last. */
  requireNotLast(runtime: number): void {
    this.get(runtime);
    if (this.others(runtime).length === 0) throw new NfError("runtime.last", `runtime ${runtime} is the only one`, { fix: NO_OTHER });
  }

  /**
   * Moves `count` flows, whichever, or those of `flowIds`, from one runtime to another, under traffic and in order. Resolves when the last of them has
   * moved or has failed to; a flow that fails stays where it is, and `reason` says why the last one did. Fewer than `count` flows are no failure.
   * Rejects with NfError runtime.unknown, runtime.same, runtime.busy (too many operations at once), usage.
   */
  async migrate({ from, to, count, flowIds }: MigrateOptions): Promise<OperationReport> {
    if ((count === undefined) === (flowIds === undefined)) throw new NfError("usage", "a migration is of a number of flows, or of given flows: one of both");
    if (count !== undefined && !(Number.isSafeInteger(count) && count >= 1 && count <= FLOWS_MAX))
      throw new NfError("usage", `${count} is no number of flows`, { allowed: `1 to ${FLOWS_MAX}` });
    this.requirePair(from, to);
    return this.#dataplane.migrate(flowIds === undefined ? { from, to, count: count! } : { from, to, flowIds });
  }

  /**
   * Empties a runtime: it gets no new flows from now on, and those that it has move to the runtimes `to` in turn (none given: to all others). Resolves
   * like `migrate`; the runtime stays, without new flows, until `undrain` or `remove`. Rejects with NfError runtime.unknown, runtime.same, runtime.busy,
   * runtime.last (there is no other).
   */
  async drain(runtime: number, { to = [] }: { to?: number[] } = {}): Promise<OperationReport> {
    const targets = this.drainTargets(runtime, to);
    return this.#dataplane.drain(runtime, { to: to.length > 0 ? targets : [] });
  }

  /** Where a drain would move the flows to. Throws NfError runtime.unknown, runtime.same, runtime.last. */
  drainTargets(runtime: number, to: readonly number[]): number[] {
    this.get(runtime);
    for (const target of to) this.requirePair(runtime, target);
    const targets = to.length > 0 ? [...new Set(to)] : this.others(runtime);
    if (targets.length > 0) return targets;
    throw new NfError("runtime.last", `runtime ${runtime} is the only one: there is nowhere for its flows to go`, { fix: NO_OTHER });
  }

  /** The runtime takes new flows again; a drain that goes on ends, and its report says `undrained`. Rejects with NfError runtime.unknown. */
  async undrain(runtime: number): Promise<void> {
    this.get(runtime);
    await this.#dataplane.undrain(runtime);
  }

  /**
   * Replicas of its flows are at these runtimes as long as one of them can keep them; at none: wherever. They move there under traffic. Rejects with NfError
   * runtime.unknown, runtime.same, runtime.unreplicated, runtime.in_process.
   */
  async setReplicationTargets(runtime: number, targets: readonly number[]): Promise<void> {
    this.get(runtime);
    for (const target of targets) {
      this.get(target);
      if (target === runtime)
        throw new NfError("runtime.same", `runtime ${runtime} keeps no replicas of its own flows`, { allowed: this.others(runtime).join(", ") || undefined });
    }
    await this.#dataplane.setReplicationTargets(runtime, targets);
  }

  /** Throws NfError runtime.unknown, runtime.same. */
  requirePair(from: number, to: number): void {
    this.get(from);
    this.get(to);
    if (from === to)
      throw new NfError("runtime.same", `runtime ${from} is source and target`, {
        allowed: this.others(from).join(", ") || undefined,
        fix: this.others(from).length === 0 ? NO_OTHER : "Name another runtime as the target.",
      });
  }

  /** Numbers of the runtimes besides this one. */
  others(runtime: number): number[] {
    return this.status()
      .map((one) => one.runtime)
      .filter((one) => one !== VSWITCH && one !== runtime);
  }
}
