/**
 * One NF of a chain: its current instance and what outlives instances (counters, faults, quarantine). Calls go through here, so that log lines and
 * counters of every call are taken, and a trap is followed by a spare instance on the same slots.
 */
import { AREAS, ArrivalReason, CALL, type CloseReason, FaultKind, LIMITS } from "../abi/gen/abi.ts";
import { MalformedError } from "../pack/wasm_reader.ts";
import { NfError } from "../errors.ts";
import type { Manifest, Rights } from "../manifest/manifest.ts";
import type { StateSchema } from "../manifest/state_schema.ts";
import type { GuestFault } from "./fault.ts";
import type { Flow } from "./flow.ts";
import { type RuntimeShown, writeCluster, writeFlowRecord } from "./fill.ts";
import { guardModule } from "./guard.ts";
import { Instance, type Program } from "./instance.ts";
import { planMemory, slotStride } from "./memory_plan.ts";
import type { SimulationEvent } from "./report.ts";
import { tupleJson } from "./flow_report.ts";
import { wasm } from "./v8.ts";

/** One entry of a chain, admitted and configured. */
export interface ChainEntry {
  /** Prefix of its drop reasons, key of its states. */
  entry: string;
  manifest: Manifest;
  /** The core module, and its SHA-256 in hex. */
  core: Uint8Array;
  digest: string;
  stateSchema: StateSchema;
  /** MessagePack for `configure`. */
  config: Uint8Array;
  /** What was granted, at most what the manifest wants. */
  rights: Rights;
  leaseSize: number;
}

/** The packet that a fault is blamed on. */
export interface Blame {
  flow: Flow;
  sequence: number;
  breach: string;
}

const MINUTE_NS = 60_000_000_000n;

export class ChainNf {
  readonly spec: ChainEntry;
  readonly position: number;
  /** In masks of flows. */
  readonly bit: number;
  readonly stride: number;
  instance: Instance;
  quarantined = false;
  faults = 0n;
  readonly #program: Program;
  readonly #emit: (event: SimulationEvent) => void;
  readonly #faultTimes: bigint[] = [];
  readonly #retired = Array<bigint>(LIMITS.counters_max).fill(0n);

  /** Throws StartError, or NfError state.too_large or nf.compile. */
  constructor(spec: ChainEntry, position: number, flowsMax: number, emit: (event: SimulationEvent) => void) {
    this.spec = spec;
    this.position = position;
    this.bit = 1 << position;
    this.stride = slotStride(spec.stateSchema.bytes);
    this.#emit = emit;
    this.#program = makeProgram(spec, this.stride * flowsMax, flowsMax);
    this.instance = new Instance(this.#program);
    this.#drainLog(0n);
  }

  get entry(): string {
    return this.spec.entry;
  }

  slot(flow: Flow): Uint8Array {
    return this.instance.state.subarray(flow.index * this.stride, (flow.index + 1) * this.stride);
  }

  /** The slot's bytes as they are now; empty when this NF has not opened the flow. */
  stateOf(flow: Flow): Uint8Array {
    if ((flow.opened & this.bit) === 0) return new Uint8Array(0);
    return this.slot(flow).slice(0, this.spec.stateSchema.bytes);
  }

  /** True where this NF is called for the flow in callbacks. */
  isTold(flow: Flow): boolean {
    return !this.quarantined && (flow.opened & this.bit) !== 0 && (flow.bypass & this.bit) === 0;
  }

  /** process-burst on filled areas; undefined when it returned. */
  processBurst(count: number, nowNs: bigint): GuestFault | undefined {
    this.instance.bursts += 1n;
    return this.#run(nowNs, "process-burst", count);
  }

  flowClose(flow: Flow, reason: CloseReason, nowNs: bigint): GuestFault | undefined {
    return this.#callback(nowNs, "flow-close", flow, [reason]);
  }
  flowTimer(flow: Flow, nowNs: bigint): GuestFault | undefined {
    return this.#callback(nowNs, "flow-timer", flow, [nowNs]);
  }
  /** Its answer; 0 without the export. */
  migrationTarget(flow: Flow, runtimes: readonly RuntimeShown[], nowNs: bigint): GuestFault | number {
    writeCluster(this.instance, runtimes);
    return this.#ask(nowNs, "migration-target", [CALL.cluster, runtimes.length], flow, []);
  }
  flowArrived(flow: Flow, nowNs: bigint): GuestFault | number {
    return this.#ask(nowNs, "flow-arrived", [], flow, [ArrivalReason.MOVED]);
  }
  flowLeft(flow: Flow, nowNs: bigint): GuestFault | undefined {
    return this.instance.has("flow-left") ? this.#callback(nowNs, "flow-left", flow, []) : undefined;
  }
  tick(nowNs: bigint): GuestFault | undefined {
    this.instance.callbackHeader(nowNs);
    return this.#run(nowNs, "tick", nowNs / 1_000_000n);
  }

  /** Counts a fault and tells it; true when it put the NF into quarantine. */
  countFault(fault: GuestFault, blame: Blame | undefined, nowNs: bigint): void {
    this.faults += 1n;
    const times = this.#faultTimes;
    times.push(nowNs);
    while (times.length > 0 && nowNs - times[0]! >= MINUTE_NS) times.shift();
    const action = blame ? this.spec.manifest.on_fault : "none";
    this.#emit({
      type: "fault",
      entry: this.entry,
      name: this.spec.manifest.name,
      version: this.spec.manifest.version,
      digest: this.spec.digest,
      ...fault,
      ...(blame ? { flow: tupleJson(blame.flow.tuple), sequence: blame.sequence } : {}),
      breach: blame?.breach ?? "",
      action,
      packetsDropped: blame && action !== "bypass" ? 1 : 0,
      faultsInMinute: times.length,
      nowNs,
    });
    const first = times.at(-LIMITS.fault_quarantine_count);
    if (this.quarantined || first === undefined || nowNs - first >= BigInt(LIMITS.fault_quarantine_window_ns)) return;
    this.quarantined = true;
    this.#emit({ type: "quarantine", entry: this.entry, mode: this.spec.manifest.quarantine, faults: LIMITS.fault_quarantine_count, nowNs });
  }

  /** A spare instance takes over the slots of these flows. */
  replace(flows: Iterable<Flow>): void {
    const old = this.instance;
    old.counters().forEach((value, i) => (this.#retired[i]! += value));
    this.instance = new Instance(this.#program);
    for (const flow of flows) {
      const [start, end] = [flow.index * this.stride, (flow.index + 1) * this.stride];
      if ((flow.opened & this.bit) !== 0) this.instance.state.set(old.state.subarray(start, end), start);
    }
  }

  /** Own counters by their names. */
  counters(): Record<string, bigint> {
    const current = this.instance.counters();
    return Object.fromEntries(this.spec.manifest.counters.map((name, i) => [name, BigInt.asUintN(64, this.#retired[i]! + current[i]!)]));
  }

  #callback(nowNs: bigint, name: string, flow: Flow, rest: (number | bigint)[]): GuestFault | undefined {
    this.instance.callbackHeader(nowNs);
    writeFlowRecord(this.instance, 0, flow);
    return this.#run(nowNs, name, CALL.flow_records, this.stateAddress(flow), ...rest);
  }

  #ask(nowNs: bigint, name: "migration-target" | "flow-arrived", first: number[], flow: Flow, rest: number[]): GuestFault | number {
    if (!this.instance.has(name)) return 0;
    this.instance.callbackHeader(nowNs);
    writeFlowRecord(this.instance, 0, flow);
    const answer = this.instance.ask(name, ...first, CALL.flow_records, this.stateAddress(flow), ...rest);
    this.#drainLog(nowNs);
    return answer;
  }

  /** Guest address of the flow's slot; 0 without state. */
  stateAddress(flow: Flow): number {
    return this.stride === 0 ? 0 : AREAS.state.address + flow.index * this.stride;
  }

  #run(nowNs: bigint, name: string, ...args: (number | bigint)[]): GuestFault | undefined {
    const fault = this.instance.run(name, ...args);
    this.#drainLog(nowNs);
    return fault;
  }

  #drainLog(nowNs: bigint): void {
    for (const { level, text, lost } of this.instance.drainLog()) this.#emit({ type: "log", entry: this.entry, level, text, lost, nowNs });
  }
}

/** What a breach of results is as a fault. */
export function badResult(): GuestFault {
  return { kind: FaultKind.bad_result, call: "process-burst", message: "", file: "", line: 0, column: 0, backtrace: [] };
}

function makeProgram({ entry, core, config, rights, manifest, stateSchema }: ChainEntry, stateBytes: number, flowsMax: number): Program {
  const plan = planMemory({ rights, configBytes: config.length, stateBytes: stateSchema.bytes, flowsMax, heapPages: manifest.heap_pages });
  try {
    const guarded = guardModule(core, plan);
    return { entry, guarded, module: new wasm.Module(guarded.binary), config, stateBytes };
  } catch (cause) {
    if (!(cause instanceof MalformedError || (cause instanceof Error && cause.name === "CompileError"))) throw cause;
    throw new NfError("nf.compile", `chain '${entry}': ${cause.message}`, { cause, fix: "Run 'nfactor check' on it." });
  }
}
