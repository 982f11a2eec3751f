/**
 * What the native addon offers to TypeScript: the types of the boundary, nothing else.
 *
 * TypeScript validates, native code trusts: every value that goes in was checked by zod before. 64-bit counters come as bigint. All functions
 * may be called from the main thread of Node only; none waits for an lcore except through its promise.
 */

export interface NativeAddon {
  buildInfo(): BuildInfo;
  /** Starts DPDK's environment on a native thread of its own; once per process. Throws NativeError. */
  start(options: EalOptions): EalInfo;
  /** Checks everything before it changes anything. Rejects with NativeError. */
  createRuntime(spec: RuntimeSpec): Promise<number>;
  startRuntime(id: number): void;
  /** `drain` lets what is in flight leave first; held fragments drop as `shutdown`, open flows end. */
  stopRuntime(id: number, options: { drain: boolean }): Promise<RunReport>;
  /** Resolves when the runtime has ended: a capture ends by itself, a live one by stopRuntime. */
  waitRuntime(id: number): Promise<RunReport>;
  destroyRuntime(id: number): void;
  /** Reads the shared counters; cheap enough for every refresh of a view. */
  counters(id: number): CountersSnapshot;
  swap(id: number, entry: string, nf: NfSpec): Promise<SwapReport>;
  flows(id: number, options: FlowsOptions): Promise<FlowsPage>;
  /**
   * Events since the last call, in order. From a capture nothing is lost: the lcore waits while the ring is full. Live, the ring drops the
   * newest and counts them in `CountersSnapshot.eventsLost`. After the end of a run the events can still be drained until destroyRuntime.
   */
  drainEvents(id: number): NativeEvent[];
  /** A command of a trace to all members, in JSON (dataplane-native/src/nfactord/README.md); resolves with a JSON list of their answers, each with `member`. */
  trace(id: number, request: string): Promise<string>;

  // Switched mode. In direct mode all of these throw or reject with runtime.direct.

  /** The vswitch (number 0), then the runtimes in order of their numbers. Reads shared counters, like `counters`. */
  runtimes(id: number): RuntimeStatus[];
  /** Another runtime with the chain as it is now; resolves with its number when it takes flows. Rejects with runtime.limit, and what starting NFs rejects with. */
  addRuntime(id: number): Promise<number>;
  /** Rejects with runtime.unknown, and with runtime.not_empty unless `force`: its flows end then. */
  removeRuntime(id: number, runtime: number, options: { force: boolean }): Promise<void>;
  /** Resolves when every flow has moved or has failed to: a flow that fails stays where it is. Rejects with runtime.unknown, runtime.same. */
  migrate(id: number, options: MigrateOptions): Promise<OperationReport>;
  /** No new flows for the runtime, and those that it has move to `to` (empty: to all others that take flows). Resolves like `migrate`. */
  drain(id: number, runtime: number, options: { to: number[] }): Promise<OperationReport>;
  /** The runtime takes new flows again; a drain that goes on resolves when the moves that it has begun are through. */
  undrain(id: number, runtime: number): Promise<void>;
}

/** What native functions throw or reject with: an Error with one of the codes of sdk/abi/error_codes.json. */
export interface NativeError extends Error {
  code: string;
}

export interface BuildInfo {
  version: string;
  wasmtime: string;
  dpdk: string;
  abiVersion: number;
}

export interface EalOptions {
  hugepages: "auto" | "never";
  /** Ordinary memory for packets and tables when there are no hugepages, MiB. */
  memoryMb: number;
}

export interface EalInfo {
  hugepages: boolean;
  memoryMb: number;
}

export interface NfRights {
  view: "headers" | "payload";
  edit: "none" | "headers" | "payload";
  reshape: boolean;
  reply: boolean;
  emits: number;
  lease: boolean;
}

/** One entry of a chain, ready to be instantiated. */
export interface NfSpec {
  /** Name of the chain's entry: prefix of its drop reasons, key of its states. */
  entry: string;
  name: string;
  version: string;
  /** SHA-256 of the core module, hex. */
  digest: string;
  /** Native code from `nfactord compile`, authenticated by the caller. */
  native: Uint8Array;
  /** The admitted core module, for machines where it has to be compiled anew. */
  core?: Uint8Array;
  /** MessagePack for `configure`. */
  config: Uint8Array;
  stateBytes: number;
  stateDigest: string;
  rights: NfRights;
  heapPages: number;
  onFault: "drop" | "close_flow" | "bypass";
  quarantine: "closed" | "open";
  /** Size of the lease pool; 0 without the right. */
  leaseSize: number;
  /** Names of the NF's own drop reasons by number, 128 to 255. */
  dropReasons: Record<number, string>;
  counters: string[];
  /** Names of the optional exports the module has. */
  exports: string[];
}

export interface IdleMs {
  tcp: number;
  tcpOpening: number;
  tcpClosing: number;
  udp: number;
  icmp: number;
  other: number;
}

export type RuntimeInput = { kind: "capture"; in: string; out?: string; clientCidrs: string[] } | { kind: "af_packet"; client: string; server: string };

export interface RuntimeSpec {
  input: RuntimeInput;
  nonIp: "forward" | "drop";
  flows: { max: number; idleMs: IdleMs };
  /** Seed of the NFs' random numbers, an unsigned 64-bit number in decimal. */
  seed: string;
  chain: NfSpec[];
  /** 0: no `flow_ended` events. Else as many as the ring keeps at once. */
  keepEndedFlows: number;
  /** Absent: direct mode, one runtime that classifies for itself. Present: a vswitch with several runtimes behind it. */
  switching?: SwitchingSpec;
}

export type Placement = "round_robin" | "least_loaded";

export interface SwitchingSpec {
  /** At the start, 1 to 15. */
  runtimes: number;
  /** Threads, 1 to 16; vswitch and runtimes are dealt over them. */
  lcores: number;
  /** How the runtime of a new flow is chosen. */
  placement: Placement;
  /** Flows of one runtime that may be on their way at once, 1 to 4000. */
  migrations: number;
  /** Absent: a runtime's flows die with it. */
  replication?: ReplicationSpec;
}

/** What a flow causes leaves when another runtime has the state that it comes from. */
export interface ReplicationSpec {
  replicas: 0 | 1;
  /** Who sends it: the flow's own runtime, or the one that has the replica. */
  mode: ReplicationMode;
  /** What becomes of output while there is no other runtime: it waits, within bounds, or leaves. */
  unprotected: Unprotected;
}

export type ReplicationMode = "hold" | "relay";
export type Unprotected = "strict" | "available";

/** `count` flows, whichever, or those of `flowIds`: one of both. */
export interface MigrateOptions {
  from: number;
  to: number;
  count?: number;
  flowIds?: bigint[];
}

/** Why a flow did not move. */
export type MoveRefusal = "none" | "chain" | "layout" | "room" | "busy" | "draining" | "no_member" | "no_flow" | "cancelled" | "timeout" | "nf";

export interface OperationReport {
  moved: number;
  failed: number;
  /** Of the last flow that failed. */
  reason: MoveRefusal;
  /** The source has no flows left. */
  drained: boolean;
  /** A drain that `undrain` ended: what had not begun to move stayed. */
  undrained: boolean;
  durationNs: bigint;
}

/** Counters are since the start. */
export interface RuntimeStatus {
  /** From 1; 0 is the vswitch: packets in and out, and its route entries as flows. */
  runtime: number;
  lcore: number;
  /** It gets no new flows. */
  draining: boolean;
  flowsOpen: number;
  received: bigint;
  sent: bigint;
  dropped: bigint;
  held: bigint;
  receivedBytes: bigint;
  sentBytes: bigint;
  /** The dropped by the host's reasons, and those of all NFs as `nf`; only those above 0. */
  drops: Record<string, bigint>;
  /** Flows. */
  movedIn: bigint;
  movedOut: bigint;
  /** Flows on their way, in either direction. */
  migrations: number;
  /** How often its NFs were asked where a flow should go. */
  nfAsked: bigint;
  /** Moves that this began, those under way and those that failed included. */
  nfMoves: bigint;
  /** Those that failed, and answers that named no runtime that takes flows. */
  nfMovesFailed: bigint;
  /** Flows that came and that an NF here did not take. */
  arrivalsRefused: bigint;
  /** Time with work in it: load = Δ busyNs / Δ time. */
  busyNs: bigint;
  /** Packets that wait in its input ring. */
  queued: number;
  /** Of the vswitch: as in CountersSnapshot. */
  missed: bigint;
  /** Packets that the vswitch dropped since this one's queue was full, since it came; of the vswitch: of all of them. */
  runtimeFull: bigint;
  /** Of others' flows, kept here. */
  replicas: number;
  /** Flows here without a replica, or without all of it. */
  unprotected: number;
  /** Updates under way to replicas. */
  replicationLag: number;
  /** Packets sent for others' flows; of the vswitch: copies of them that came second. */
  relayed: bigint;
  /** Flows made of replicas here; of the vswitch: flows that it sent to them. */
  recovered: bigint;
  /** Flows that began anew since their state died with a runtime. */
  stateLost: bigint;
  /** Of other members, that could not be read: a fault of ours. */
  refusedMessages: bigint;
  /** Of the vswitch: how long sampled packets were in here. counts[i]: of at most 2^(i + 1) µs, and not less than that before; the last: of all above. */
  delay?: { counts: bigint[]; sumNs: bigint } | undefined;
  /** Of the vswitch, in process mode with replication: deaths of runtimes, by how long their flows waited (supervisor/recovery_watch.ts). */
  recoveries?: { readonly counts: readonly number[]; readonly sumMs: number } | undefined;
  /** In process mode; counters are then since the start of this process. */
  process?: {
    pid?: number | undefined;
    restarts: number;
    isUp: boolean;
    /** When it told its busyNs, µs of performance.now(); it is asked for from time to time. */
    busyAtUs?: number | undefined;
    /** Of one on another machine: the address of the agent there, the name of the peer if it is one, and whether it answers. */
    agent?: string | undefined;
    peer?: string | undefined;
    isReachable?: boolean;
    /** Where replicas of its flows are to be; empty: anywhere. */
    homes?: readonly number[] | undefined;
    /** Frames of its links that went nowhere, by what was wrong with them. */
    refusedFrames?: Record<string, bigint>;
  };
}

/** In switched mode the sums over vswitch and runtimes. */
export interface CountersSnapshot {
  /** Clock of the runtime: capture time or ns since the epoch. */
  nowNs: bigint;
  received: bigint;
  receivedBytes: bigint;
  sent: bigint;
  sentBytes: bigint;
  /** Packets that the interfaces lost before anybody took them: not among those received. */
  missed: bigint;
  emitted: bigint;
  held: bigint;
  /** By full name: `malformed_ipv4`, `fw.policy`; only those above 0. */
  dropped: Record<string, bigint>;
  flowsOpen: number;
  flowsOpened: bigint;
  flowsEnded: bigint;
  eventsLost: bigint;
  nfs: NfCounters[];
  /** In process mode: packets that were under way in processes that died. While it runs the most that it can be, at the end exact. */
  lostInFailure?: bigint;
  /** Of those: a vswitch that died was handing them to a port, and they may have left all the same. */
  maybeSent?: bigint;
}

export interface NfCounters {
  entry: string;
  version: string;
  faults: bigint;
  quarantined: boolean;
  /** The NF's own counters by name. */
  counters: Record<string, bigint>;
}

export interface RunReport {
  counters: CountersSnapshot;
  /** Why the run ended early, when it did. */
  error?: { code: string; message: string } | undefined;
}

export interface SwapReport {
  /** From the burst boundary where the swap began to the first burst of the new version, ns. */
  pauseNs: bigint;
  /** An ordinary burst just before, for comparison, ns. */
  burstNs: bigint;
  /** Off the packet path: instantiation and pre-faulting, ms. */
  prepareMs: number;
  flows: number;
  packetsDropped: bigint;
}

export interface NativeEndpoint {
  address: string;
  port: number;
}

export interface NativeFlowKey {
  /** IP protocol number. */
  protocol: number;
  ipVersion: number;
  initiator: NativeEndpoint;
  responder: NativeEndpoint;
  /** VLAN ids, outer first. */
  vlan: number[];
}

export interface NativeFlow extends NativeFlowKey {
  /** Unique in the dataplane; stays with a flow that moves. */
  flowId: bigint;
  /** Who has it; 0 in direct mode. */
  runtime: number;
  packets: [bigint, bigint];
  bytes: [bigint, bigint];
  startNs: bigint;
  lastSeenNs: bigint;
  phase: "opening" | "open" | "closing" | "refused" | "none";
  /** CloseReason of the ABI; undefined while the flow lives. */
  closeReason?: number | undefined;
  /** One slot per entry of the chain, in its order; empty where that NF has not opened the flow. */
  states: Uint8Array[];
}

export interface FlowsOptions {
  cursor?: number;
  limit: number;
  /** Flows of this runtime only. Rejects with runtime.unknown, runtime.direct. */
  runtime?: number;
}
export interface FlowsPage {
  flows: NativeFlow[];
  /** Cursor of the next page; undefined at the end. */
  next?: number | undefined;
}

export type NativeEvent = FaultEvent | LogEvent | QuarantineEvent | FlowEndedEvent;

export interface FaultEvent {
  type: "fault";
  entry: string;
  name: string;
  version: string;
  digest: string;
  /** FaultKind of the ABI. */
  kind: number;
  /** From the guest's fault record: untrusted text, may hold anything. */
  message: string;
  file: string;
  line: number;
  column: number;
  /** Offsets into the core module, innermost frame first; empty when unknown. */
  backtrace: number[];
  /** Export that was running. */
  call: string;
  /** The flow and the number of the packet in it, when one is to blame. */
  flow?: NativeFlowKey | undefined;
  sequence?: number | undefined;
  /** What followed: the policy applied to the packet's flow, or "none" without one. */
  action: "drop" | "close_flow" | "bypass" | "none";
  packetsDropped: number;
  /** Of this NF in the last minute, this one included. */
  faultsInMinute: number;
  nowNs: bigint;
}

export interface LogEvent {
  type: "log";
  entry: string;
  /** LogLevel of the ABI. */
  level: number;
  /** Untrusted text. */
  text: string;
  /** Lines of this NF that were dropped just before this one. */
  lost: number;
  nowNs: bigint;
}

export interface QuarantineEvent {
  type: "quarantine";
  entry: string;
  mode: "closed" | "open";
  faults: number;
  nowNs: bigint;
}

export interface FlowEndedEvent {
  type: "flow_ended";
  flow: NativeFlow;
}
