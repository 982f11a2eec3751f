/** Valid artifacts that take time, stack or patience: loops and traps in each export, recursion, floods, and what only looks hostile. */
import { EXPORTS, LIMITS, RECORDS, RUNTIME_RECORD_BYTES, RuntimeFlag, Verdict, type FaultKindName } from "@nfactor/sdk/abi";
import type { ManifestFields } from "../../sdk/admission/testing/artifact.ts";
import { I32, addFunction, body, encodeModule, validModule } from "../../sdk/admission/testing/raw_module.ts";
import { type ExportName, type HostileEntry, OF_MOVES, type RunExpectation, running } from "./entry.ts";

const CONSTANTS: readonly string[] = ["abi-version", "state-bytes", "state-version"];
const CALLED = [...EXPORTS.required, ...EXPORTS.optional].filter(({ name }) => !CONSTANTS.includes(name));
const STARTING: readonly string[] = ["init", "configure"];

/** This code in one export, everything else in order. */
function inExport(name: ExportName, what: string, code: string, fault: FaultKindName): HostileEntry {
  const { params, result } = CALLED.find((spec) => spec.name === name)!;
  const scalar = { u32: "i32", u64: "i64" } as const;
  const signature = [`(param ${params.map((p) => scalar[p.type]).join(" ")})`, ...(result === undefined ? [] : [`(result ${scalar[result]})`])].join(" ");
  const text = `(func (export "${name}") ${params.length === 0 ? "" : signature} ${code})`;
  const packets = STARTING.includes(name) ? "never_started" : name === "process-burst" ? "faulted" : "forwarded";
  const arm = ARMS[name] ?? "";
  // Where flows move there are faults by time, not by packet; those are to go on meanwhile.
  const manifest: ManifestFields = OF_MOVES.includes(name) ? { quarantine: "open" } : {};
  return running(
    `${what}_${name.replaceAll("-", "_")}`,
    `${what === "loop" ? "never return from" : "trap in"} ${name}`,
    { in: name, fault, packets },
    { source: { text: `${text}\n${arm}` }, manifest },
  );
}
const timerText = `(func $packet (param $result i32) (param $descriptor i32)
  (i32.store16 offset={{record.result.flags}} (local.get $result) (i32.const {{flag.ARM_TIMER}}))
  (i32.store offset={{record.result.timeout}} (local.get $result) (i32.const 1))
  (i32.store8 (local.get $result) (i32.const ${Verdict.FORWARD})))`;

const askText = `(func $packet (param $result i32) (param $descriptor i32)
  (i32.store16 offset={{record.result.flags}} (local.get $result) (i32.const {{flag.ASK_MIGRATE}}))
  (i32.store8 (local.get $result) (i32.const ${Verdict.FORWARD})))`;
const { runtime, flags } = RECORDS.runtime_record.fields;
/** Of two runtimes the other one. */
const otherRuntimeText = `(func (export "migration-target") (param $cluster i32) (param i32 i32 i32) (result i32)
  (i32.load offset=${runtime.offset} (i32.add (local.get $cluster) (select (i32.const ${RUNTIME_RECORD_BYTES}) (i32.const 0)
    (i32.and (i32.load16_u offset=${flags.offset} (local.get $cluster)) (i32.const ${RuntimeFlag.OWN}))))))`;
/** What it takes that an export is called: a timer has to be armed, a move asked for, and to lead somewhere. */
const ARMS: Partial<Record<ExportName, string>> = {
  "flow-timer": timerText,
  "migration-target": askText,
  "flow-arrived": `${askText}\n${otherRuntimeText}`,
  "flow-left": `${askText}\n${otherRuntimeText}`,
};

const EVERY_EXPORT = CALLED.flatMap(({ name }) => [
  inExport(name, "loop", "(loop $l (br $l)) (unreachable)", "deadline"),
  inExport(name, "trap", "(unreachable)", "unreachable"),
]);

const process = (fault: FaultKindName | undefined, packets: RunExpectation["packets"], counters?: readonly bigint[]): RunExpectation => ({
  in: "process-burst",
  ...(fault && { fault }),
  packets,
  ...(counters && { counters }),
});

function trap(name: string, tries: string, code: string, fault: FaultKindName, orFault?: FaultKindName): HostileEntry {
  return running(
    name,
    tries,
    { ...process(fault, "faulted"), ...(orFault && { orFault }) },
    {
      source: { text: code.includes("$packet") ? code : `(func $packet (param $result i32) (param $descriptor i32) ${code})` },
    },
  );
}

const TRAPS: HostileEntry[] = [
  trap("divide_by_zero", "divide by zero", "(i32.store8 (local.get $result) (i32.div_u (i32.const 1) (i32.const 0)))", "integer"),
  trap("remainder_of_zero", "take a remainder of zero", "(i64.store8 (local.get $result) (i64.rem_s (i64.const 1) (i64.const 0)))", "integer"),
  trap("divide_overflow", "divide the smallest number by -1", "(i32.store8 (local.get $result) (i32.div_s (i32.const 0x80000000) (i32.const -1)))", "integer"),
  trap("convert_nan", "make an integer of no number", "(i32.store8 (local.get $result) (i32.trunc_f64_s (f64.const nan)))", "bad_conversion"),
  trap(
    "convert_too_large",
    "make an integer of a number that is too large",
    "(i32.store8 (local.get $result) (i32.trunc_f32_u (f32.const 1e20)))",
    "integer",
    "bad_conversion",
  ),
  trap(
    "call_null",
    "call an empty place of the table",
    `(type $f (func)) (table 4 4 funcref) (func $packet (param $result i32) (param $descriptor i32) (call_indirect (type $f) (i32.const 3)))`,
    "indirect_call",
  ),
  trap(
    "call_behind_table",
    "call behind the end of the table",
    `(type $f (func)) (table 4 4 funcref) (func $packet (param $result i32) (param $descriptor i32) (call_indirect (type $f) (i32.const 4)))`,
    "indirect_call",
  ),
  trap(
    "call_far_behind_table",
    "call far behind the end of the table",
    `(type $f (func)) (table 4 4 funcref) (func $packet (param $result i32) (param $descriptor i32) (call_indirect (type $f) (i32.const -1)))`,
    "indirect_call",
  ),
  trap(
    "call_other_type",
    "call a function as if it were of another type",
    `(type $f (func (param i64))) (table 1 1 funcref) (elem (i32.const 0) $forward) (func $packet (param $result i32) (param $descriptor i32) (call_indirect (type $f) (i64.const -1) (i32.const 0)))`,
    "indirect_call",
  ),
];

const EDIT: ManifestFields = { rights: { edit: "headers" } };

const TEXTS: HostileEntry[] = [
  running("loop_registers", "loop without touching memory", process("deadline", "faulted")),
  running("loop_stores", "answer one packet for ever, so that the blame falls on the next", process("deadline", "some_faulted"), { blamesOthers: true }),
  running("loop_after_answers", "loop after the last answer, so that no packet is to blame", process("deadline", "some_faulted")),
  running("loop_nested", "loop in short loops", process("deadline", "faulted")),
  running("loop_br_table", "jump about for ever", process("deadline", "faulted")),
  running("recursion_deep", "exhaust the stack", process("stack", "faulted")),
  running("recursion_wide", "exhaust the stack with large frames", process("stack", "faulted")),
  running("recursion_exponential", "call 2^60 times without going deep", process("deadline", "faulted")),
  running("recursion_indirect", "exhaust the stack through the table", process("stack", "faulted")),
  running("slow_under_deadline", "be as slow as it may", process(undefined, "forwarded")),
  running("trap_after_answers", "trap after the last answer, so that no packet is to blame", process("unreachable", "some_faulted")),
  running("trap_every_second", "trap on some packets only", process("unreachable", "some_faulted")),
  running("trap_last_first", "answer in reverse and trap, so that the blame falls on the first", process("unreachable", "faulted")),
  running("trap_keeps_state", "leave a slot half written", process("unreachable", "faulted")),
  running("abort_lies", "have more text read than a fault record holds", process("abort", "faulted")),
  running("abort_control_characters", "take over the operator's terminal with a fault message", process("abort", "faulted")),
  running("abort_without_trap", "report a fault that did not happen", process(undefined, "forwarded")),
  running("log_flood", "flood the log", process(undefined, "forwarded")),
  running("log_count_wraps", "confuse the reader of the log with its count", process(undefined, "forwarded")),
  running("log_lies", "have more text read than a log record holds", process(undefined, "forwarded")),
  running("log_control_characters", "take over the operator's terminal with a log line", process(undefined, "forwarded")),
  running("counters_overflow", "make sums of counters overflow", process(undefined, "forwarded"), { manifest: { counters: ["first"] } }),
  running("results_beyond_burst", "answer packets that are not there", process(undefined, "forwarded")),
  running("edit_without_flag", "change headers in secret", process(undefined, "forwarded"), { manifest: EDIT }),
  running("edit_other_packets", "change the headers of other packets in secret", process(undefined, "forwarded"), { manifest: EDIT }),
  running("edit_mac_address", "change what no right covers", process("bad_result", "faulted"), { manifest: EDIT }),
  running("edit_header_length", "move the L4 header", process("bad_result", "faulted"), { manifest: EDIT }),
  running("edit_total_length", "make a datagram that is longer than its frame", process("bad_result", "faulted"), { manifest: EDIT }),
  running("edit_protocol", "make another protocol of a packet", process("bad_result", "faulted"), { manifest: EDIT }),
  running("edit_source_every_packet", "send from another forged address each time", process(undefined, "key_changed"), { manifest: EDIT }),
  running("emit_without_right", "emit frames without the right", process(undefined, "forwarded")),
  running("seek_payload", "find payload bytes without the right to see them", process(undefined, "forwarded", [0n]), { manifest: { counters: ["found"] } }),
  running("seek_neighbour_state", "find what another tenant keeps", process(undefined, "forwarded", [0n]), { manifest: { counters: ["found"] } }),
  running("state_of_others", "overwrite the slots of all its flows", process(undefined, "forwarded")),
  running("memory_grow", "grow its memory", process(undefined, "forwarded")),
  running("heap_all", "take all the heap there is", { in: "init", packets: "forwarded" }, { manifest: { heap_pages: LIMITS.heap_pages_max } }),
  running("timers_everywhere", "keep the timers busy", { in: "flow-timer", packets: "forwarded" }),
  running("timeout_endless", "keep its flows for ever", process(undefined, "forwarded")),
  running("close_every_flow", "make each packet open a flow", process(undefined, "forwarded")),
  running("refuse_every_flow", "refuse each flow", process(undefined, "dropped")),
  running("migrate_everything", "move each flow to nowhere", process(undefined, "forwarded")),
  running("configure_refuses", "accept no configuration", { in: "configure", packets: "never_started" }),
  running("configure_reads_beyond", "read behind its configuration", { in: "configure", fault: "out_of_bounds", packets: "never_started" }),
  running("clock_goes_back", "catch the clock going back", { in: "flow-close", packets: "forwarded" }),
  running("nan_bits", "tell processors apart by the bits of no number", process(undefined, "forwarded")),
];

const BINARIES: HostileEntry[] = [
  running("slow_to_compile", "keep the compiler busy with everything the limits allow, and then answer nothing", process("bad_result", "faulted"), {
    source: { core: slowToCompile },
    stateBytes: 0,
  }),
];

/** As many large functions as fit a module: each with all locals live over a loop of jump tables, which is what register allocation likes least. */
function slowToCompile(): Uint8Array {
  const module = validModule();
  const locals = LIMITS.function_locals_max;
  const index = (i: number): number[] => (i < 128 ? [i] : [(i & 0x7f) | 0x80, i >> 7]);
  const mix = Array.from({ length: locals }, (_, i) => [
    0x20,
    ...index(i),
    0x20,
    ...index((i * 7 + 1) % locals),
    0x6a,
    0x21,
    ...index((i * 13 + 5) % locals),
  ]).flat();
  const jump = [
    ...Array.from({ length: 64 }, () => [0x02, 0x40]).flat(),
    0x20,
    0,
    0x0e,
    64,
    ...Array.from({ length: 65 }, (_, i) => i % 65),
    ...Array.from({ length: 64 }, () => [0x0b, 0x20, 0, 0x41, 1, 0x6a, 0x21, 0]).flat(),
  ];
  const once = [...mix, ...jump];
  const rounds = Math.floor((LIMITS.function_body_bytes_max - 100) / once.length);
  const code = [0x03, 0x40, ...Array.from({ length: rounds }, () => once).flat(), 0x0b];
  const large = body(code, [[locals, I32]]);
  const count = Math.floor((LIMITS.module_bytes_max - 4096) / (large.length + 8));
  for (let i = 0; i < count; i++) addFunction(module, large);
  return encodeModule(module);
}

export const BEHAVIOUR_ENTRIES: readonly HostileEntry[] = [...EVERY_EXPORT, ...TRAPS, ...TEXTS, ...BINARIES];
