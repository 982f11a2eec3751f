/**
 * One instantiation of an NF's guarded module in V8: its memory as the host sees it, and its exports. A trap kills it: whoever called goes on
 * with another one. Nothing here knows packets; call.ts fills the areas.
 */
import { AREAS, type ExportSpec, FaultKind, LIMITS, LOG_RECORD_BYTES, LogLevel, MEMORY_EXPORT, RECORDS, RESULT, faultKindName } from "../abi/gen/abi.ts";
import { NfError } from "../errors.ts";
import { type GuestFault, readFaultRecord, trapKind, trapOffsets, utf16 } from "./fault.ts";
import { FAULT_EXPORT, FUEL_EXPORT, type GuardedModule } from "./guard.ts";
import { type WasmGlobal, type WasmMemory, type WasmModule, wasm } from "./v8.ts";

export interface LogLine {
  level: number;
  text: string;
  /** Lines that were overwritten before this one. */
  lost: number;
}

/** What all instances of one NF have in common. */
export interface Program {
  entry: string;
  guarded: GuardedModule;
  module: WasmModule;
  config: Uint8Array;
  /** Bytes of the whole state store; 0 without state. */
  stateBytes: number;
}

/** Steps (function starts and turns of loops) that a call may take; at some 1 to 2 ns each. */
const CALL_FUEL = 20_000_000;
const START_FUEL = 2_000_000_000;

/** The NF failed before its first packet. */
export class StartError extends NfError {
  readonly entry: string;
  /** What the NF has logged: configError of the SDK says there which field it dislikes. */
  readonly lines: string[];

  constructor(code: "nf.start" | "config.refused", entry: string, message: string, lines: string[]) {
    super(code, `chain '${entry}': ${message}`);
    this.entry = entry;
    this.lines = lines;
  }
}

type GuestFunction = (...args: (number | bigint)[]) => unknown;

export class Instance {
  readonly program: Program;
  readonly memory: ArrayBuffer;
  /** Whole call and result areas, by guest address − the area's start. */
  readonly call: DataView;
  readonly result: DataView;
  readonly state: Uint8Array;
  dead = false;
  /** process-burst calls so far. */
  bursts = 0n;
  readonly #exports: Record<string, unknown>;
  readonly #fault: WasmGlobal;
  readonly #fuel: WasmGlobal;
  #logged = 0;

  /** Runs init and configure; throws StartError. */
  constructor(program: Program) {
    this.program = program;
    this.#exports = new wasm.Instance(program.module).exports;
    this.memory = (this.#exports[MEMORY_EXPORT] as WasmMemory).buffer;
    this.#fault = this.#exports[FAULT_EXPORT] as WasmGlobal;
    this.#fuel = this.#exports[FUEL_EXPORT] as WasmGlobal;
    this.call = new DataView(this.memory, AREAS.call.address, AREAS.call.bytes);
    this.result = new DataView(this.memory, AREAS.result.address, AREAS.result.bytes);
    this.state = new Uint8Array(this.memory, AREAS.state.address, program.stateBytes);
    this.bytes(AREAS.config.address, program.config.length).set(program.config);
    this.call.setUint32(RECORDS.burst_header.fields.config_length.offset, program.config.length, true);
    this.#start();
  }

  /** The host's view of guest memory. */
  bytes(address: number, length: number): Uint8Array {
    return new Uint8Array(this.memory, address, length);
  }

  has(name: ExportSpec["name"]): boolean {
    return typeof this.#exports[name] === "function";
  }

  /** Calls an export; undefined when it returned. */
  run(name: string, ...args: (number | bigint)[]): GuestFault | undefined {
    const outcome = this.#invoke(name, CALL_FUEL, args);
    return typeof outcome === "object" ? outcome : undefined;
  }

  /** Calls an export that answers with a u32. */
  ask(name: string, ...args: (number | bigint)[]): GuestFault | number {
    const outcome = this.#invoke(name, CALL_FUEL, args);
    return typeof outcome === "object" ? outcome : Number(outcome) >>> 0;
  }

  /** Sets what a callback's burst header says. */
  callbackHeader(nowNs: bigint): void {
    const fields = RECORDS.burst_header.fields;
    this.call.setBigUint64(fields.now_ns.offset, nowNs, true);
    this.call.setUint32(fields.count.offset, 0, true);
    this.call.setUint8(fields.direction.offset, 0);
  }

  /** The NF's own counters. */
  counters(): bigint[] {
    return Array.from({ length: LIMITS.counters_max }, (_, i) => this.result.getBigUint64(RESULT.counters - AREAS.result.address + i * 8, true));
  }

  /** Log lines since the last time. */
  drainLog(): LogLine[] {
    const written = this.result.getUint32(RESULT.log_ring - AREAS.result.address + RECORDS.log_ring.fields.written.offset, true);
    let fresh = (written - this.#logged) >>> 0;
    if (fresh === 0) return [];
    let lost = 0;
    if (fresh > LIMITS.log_records) {
      lost = fresh - LIMITS.log_records;
      fresh = LIMITS.log_records;
    }
    const lines: LogLine[] = [];
    for (let i = 0; i < fresh; i++) {
      const number = (written - fresh + i) >>> 0;
      lines.push({ ...this.#logLine(number % LIMITS.log_records), lost: i === 0 ? lost : 0 });
    }
    this.#logged = written;
    return lines;
  }

  #logLine(slot: number): { level: number; text: string } {
    const at = RESULT.log_records - AREAS.result.address + slot * LOG_RECORD_BYTES;
    const { level, length, text } = RECORDS.log_record.fields;
    const bytes = Math.min(this.result.getUint16(at + length.offset, true), LIMITS.log_text_bytes_max) & ~1;
    const given = this.result.getUint8(at + level.offset);
    return { level: given <= LogLevel.error ? given : LogLevel.info, text: utf16(this.bytes(AREAS.result.address + at + text.offset, bytes)) };
  }

  #invoke(name: string, fuel: number, args: (number | bigint)[]): GuestFault | number | bigint | undefined {
    if (this.dead) throw new Error("a dead instance was called");
    this.#fuel.value = fuel;
    const frames = Error.stackTraceLimit;
    try {
      Error.stackTraceLimit = 64;
      return (this.#exports[name] as GuestFunction)(...args) as number | bigint | undefined;
    } catch (error) {
      this.dead = true;
      const kind = trapKind(error, Number(this.#fault.value));
      const { functions, originalOffset } = this.program.guarded;
      const backtrace = trapOffsets(error as Error, functions).map((offset) => originalOffset(offset));
      const record = kind === FaultKind.unreachable ? readFaultRecord(this.memory) : undefined;
      const nothing = { message: "", file: "", line: 0, column: 0 };
      return { kind: record ? FaultKind.abort : kind, call: name, backtrace, ...(record ?? nothing) };
    } finally {
      Error.stackTraceLimit = frames;
    }
  }

  #start(): void {
    const { entry, config } = this.program;
    for (const [name, args] of [
      ["init", []],
      ["configure", [AREAS.config.address, config.length]],
    ] as const) {
      const outcome = this.#invoke(name, START_FUEL, [...args]);
      if (outcome === undefined || outcome === 0) continue;
      const lines = this.drainLog().map(({ text }) => text);
      if (typeof outcome !== "object") throw new StartError("config.refused", entry, `the NF refused its configuration (configure returned ${outcome})`, lines);
      throw new StartError("nf.start", entry, `${name} failed: ${faultText(outcome)}`, lines);
    }
  }
}

function faultText({ kind, message, file, line, column }: GuestFault): string {
  const name = faultKindName(kind).replaceAll("_", " ");
  return message === "" ? name : `${name}: ${message} (${file}:${line}:${column})`;
}
