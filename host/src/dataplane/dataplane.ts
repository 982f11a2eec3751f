/**
 * One dataplane as the host works with it, wherever it runs: in this process behind the addon (addon_dataplane.ts), or in processes of its own.
 *
 * Main thread only. Methods throw and reject with NfError; which codes is said in native_types.ts, where the addon's functions of these names are.
 */
import type { PeerChange, PeerConfig } from "../config/peer.ts";
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

/** A place for runtimes besides this machine. */
export interface PeerStatus {
  /** Undefined: an agent that was configured when the host was started. */
  name: string | undefined;
  address: string;
  iface: string;
  /** Those that are there, by number. */
  runtimes: number[];
  /** Undefined while nothing is there: then nobody is connected. */
  isReachable: boolean | undefined;
}

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
  /** `at`: a peer's name, or the address of an agent that was configured. Without, on this machine. Rejects with runtime.in_process where runtimes are no processes. */
  addRuntime(options?: { at?: string | undefined }): Promise<number>;
  removeRuntime(runtime: number, options: { force: boolean }): Promise<void>;
  /** The runtime is dead from now on: nothing of it leaves, and replicas of its flows become the flows. Its process, if it has one, is killed and started again. */
  declareDead(runtime: number): Promise<void>;
  migrate(options: MigrateOptions): Promise<OperationReport>;
  drain(runtime: number, options: { to: number[] }): Promise<OperationReport>;
  undrain(runtime: number): Promise<void>;
  /** Where replicas of its flows are to be, as long as one of these runtimes can keep them; empty: anywhere. Rejects with runtime.in_process, runtime.unreplicated. */
  setReplicationTargets(runtime: number, targets: readonly number[]): Promise<void>;

  /** Rejects with runtime.in_process, like the next. */
  peers(): Promise<PeerStatus[]>;
  /** All of them, from now on, and with `keep_used` those that have runtimes, whose names are returned. Else it rejects with peer.in_use because of these. */
  configurePeers(peers: readonly PeerConfig[], change?: PeerChange): Promise<string[]>;
}
