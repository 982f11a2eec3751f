/**
 * One dataplane as the host works with it, wherever it runs: in this process behind the addon (addon_dataplane.ts), or in processes of its own.
 *
 * Main thread only. Methods throw and reject with NfError; which codes is said in native_types.ts, where the addon's functions of these names are.
 */
import type {
  CountersSnapshot,
  FlowsOptions,
  FlowsPage,
  MigrateOptions,
  NativeEvent,
  NfSpec,
  OperationReport,
  RunReport,
  RuntimeStatus,
  SwapReport,
} from "./native_types.ts";
import type { TraceBatch, TraceWanted } from "../trace/records.ts";

export interface Dataplane {
  /** Runtimes behind a virtual switch. Otherwise (direct mode) all that is about runtimes throws or rejects with runtime.direct. */
  readonly switched: boolean;
  /** Packets flow from now on. */
  start(): Promise<void>;
  /** Asks it to end. `drain` lets what is in flight leave first. Resolves like `ended`. */
  stop(options: { drain: boolean }): Promise<RunReport>;
  /** Resolves when it has ended, by itself or by `stop`; its counters and events are still there then. */
  ended(): Promise<RunReport>;
  /** Ends it at once if it still runs, and frees what it holds. */
  destroy(): Promise<void>;
  /** Since the start. Cheap enough for every refresh of a view. */
  counters(): CountersSnapshot;
  /** Events since the last call, in order. */
  drainEvents(): NativeEvent[];
  flows(options: FlowsOptions): Promise<FlowsPage>;
  swap(entry: string, nf: NfSpec): Promise<SwapReport>;

  /** Packets that the filter fits are recorded from now on, in all members; a trace before this one ends. Rejects with trace.unsupported. */
  traceStart(wanted: TraceWanted): Promise<void>;
  /** What was recorded since the last read, of each member that can be asked. `wanted.packets` may be more than before. */
  traceRead(wanted: TraceWanted): Promise<TraceBatch[]>;
  traceStop(id: number): Promise<void>;

  /** The vswitch (number 0), then the runtimes in order of their numbers. Cheap like `counters`. */
  runtimes(): RuntimeStatus[];
  addRuntime(): Promise<number>;
  removeRuntime(runtime: number, options: { force: boolean }): Promise<void>;
  /** The runtime is dead from now on: nothing of it leaves, and replicas of its flows become the flows. Its process, if it has one, is killed and started again. */
  declareDead(runtime: number): Promise<void>;
  migrate(options: MigrateOptions): Promise<OperationReport>;
  drain(runtime: number, options: { to: number[] }): Promise<OperationReport>;
  undrain(runtime: number): Promise<void>;
}
