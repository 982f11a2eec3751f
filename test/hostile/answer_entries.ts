/** Valid artifacts that give answers they may not give, one for each packet: verdicts, reasons, flags, lengths, emitted frames. */
import type { ManifestFields } from "../../sdk/admission/testing/artifact.ts";
import { type HostileEntry, running } from "./entry.ts";

const BAD = { in: "process-burst", fault: "bad_result", packets: "faulted" } as const;

interface Answer {
  verdict: string | number;
  drop_reason?: number;
  flags?: string | number;
  header_length?: number;
  payload_length?: number;
  timeout?: number;
  out_port?: number;
}
const WIDTH: Record<keyof Answer, string> = {
  verdict: "8",
  drop_reason: "8",
  flags: "16",
  header_length: "16",
  payload_length: "16",
  timeout: "",
  out_port: "16",
};

function answer(name: string, tries: string, fields: Answer, manifest: ManifestFields = {}): HostileEntry {
  const stores = Object.entries(fields).map(([field, value]) => {
    const text = typeof value === "string" ? `{{${field === "flags" ? "flag" : "verdict"}.${value}}}` : String(value);
    return `(i32.store${WIDTH[field as keyof Answer]} offset={{record.result.${field}}} (local.get $result) (i32.const ${text}))`;
  });
  return running(name, tries, BAD, { source: { text: packet(stores.join("\n  ")) }, manifest });
}

function packet(code: string): string {
  return `(func $packet (param $result i32) (param $descriptor i32)\n  ${code})`;
}

const RESHAPE: ManifestFields = { rights: { edit: "headers", reshape: true } };

const RESULTS: HostileEntry[] = [
  running("answer_nothing", "leave its packets undecided", BAD, { source: { text: '(func (export "process-burst") (param i32))' } }),
  answer("verdict_pending", "say that it has not decided", { verdict: "PENDING" }),
  answer("verdict_unknown", "give a verdict that does not exist", { verdict: 5 }),
  answer("verdict_largest", "give the largest verdict", { verdict: 255 }),
  answer("verdict_consume", "keep packets, which is for proxies", { verdict: "CONSUME" }),
  answer("verdict_reply_without_right", "send packets back without the right", { verdict: "REPLY" }),
  answer("drop_reason_of_host", "blame the host for its drops", { verdict: "DROP", drop_reason: 15 }),
  answer("drop_reason_last_of_host", "blame the host for its drops", { verdict: "DROP", drop_reason: 127 }),
  answer("drop_reason_on_forward", "give a reason for not dropping", { verdict: "FORWARD", drop_reason: 128 }),
  answer("flags_unknown", "set a flag that does not exist", { verdict: "FORWARD", flags: 0x40 }),
  answer("flags_all", "set all flags", { verdict: "FORWARD", flags: 0xffff }, RESHAPE),
  answer("modified_header_without_edit", "have a header copied back without the right", { verdict: "FORWARD", flags: "MODIFIED_HEADER" }),
  answer(
    "modified_payload_without_edit",
    "have a payload copied back with the right to headers",
    { verdict: "FORWARD", flags: "MODIFIED_PAYLOAD" },
    { rights: { view: "payload", edit: "headers" } },
  ),
  answer(
    "reshape_without_right",
    "change lengths without the right",
    { verdict: "FORWARD", flags: "RESHAPED", header_length: 42 },
    { rights: { edit: "headers" } },
  ),
  answer("length_without_flag", "change lengths in silence", { verdict: "FORWARD", header_length: 42 }, RESHAPE),
  answer("payload_length_without_flag", "change lengths in silence", { verdict: "FORWARD", payload_length: 1 }, RESHAPE),
  answer(
    "reshape_header_beyond_room",
    "have the host copy a header of 64 KiB",
    { verdict: "FORWARD", flags: "RESHAPED", header_length: 65535, payload_length: 0 },
    RESHAPE,
  ),
  answer(
    "reshape_header_beyond_stride",
    "have the next packet's header copied too",
    { verdict: "FORWARD", flags: "RESHAPED", header_length: 257, payload_length: 0 },
    RESHAPE,
  ),
  answer(
    "reshape_payload_beyond_room",
    "have the host copy a payload of 64 KiB",
    { verdict: "FORWARD", flags: "RESHAPED", header_length: 54, payload_length: 65535 },
    RESHAPE,
  ),
  answer("reshape_to_nothing", "send a frame of no bytes", { verdict: "FORWARD", flags: "RESHAPED", header_length: 0, payload_length: 0 }, RESHAPE),
  answer("reshape_inside_header", "end the header in the middle", { verdict: "FORWARD", flags: "RESHAPED", header_length: 20, payload_length: 0 }, RESHAPE),
  answer("out_port_set", "choose a port", { verdict: "FORWARD", out_port: 1 }),
  running("reserved_set", "use bytes that are reserved", BAD, {
    source: { text: packet("(i32.store16 offset=14 (local.get $result) (i32.const 1))\n  (i32.store8 (local.get $result) (i32.const {{verdict.FORWARD}}))") },
  }),
];

/** One emit record, index `index`; `frame` is the guest address of the frame. */
const emit = (index: number, frame: string, length: number, direction: number, of: number): string =>
  [
    `(i32.store offset={{record.emit_record.frame}} (i32.const ${`{{result.emit_records}}`}) (i32.const ${frame}))`,
    `(i32.store16 offset={{record.emit_record.length}} (i32.const {{result.emit_records}}) (i32.const ${length}))`,
    `(i32.store8 offset={{record.emit_record.direction}} (i32.const {{result.emit_records}}) (i32.const ${direction}))`,
    `(i32.store8 offset={{record.emit_record.packet}} (i32.const {{result.emit_records}}) (i32.const ${of}))`,
  ]
    .join("\n  ")
    .replaceAll("(i32.const {{result.emit_records}})", `(i32.add (i32.const {{result.emit_records}}) (i32.const ${index * 16}))`);

function emits(name: string, tries: string, records: string[]): HostileEntry {
  const text = packet([...records, "(i32.store8 (local.get $result) (i32.const {{verdict.FORWARD}}))"].join("\n  "));
  // All records name one packet of the call: the others are not to blame.
  return running(name, tries, { ...BAD, packets: "some_faulted" }, { source: { text }, manifest: { rights: { emits: 2 } }, blamesOthers: true });
}

const EMITS: HostileEntry[] = [
  emits("emit_from_null", "send what lies at address 0", [emit(0, "0", 60, 0, 0)]),
  emits("emit_from_state", "send its state store over the wire", [emit(0, "{{area.state}}", 60, 0, 0)]),
  emits("emit_from_payload", "send payloads that it may not see", [emit(0, "{{area.payload}}", 60, 0, 0)]),
  emits("emit_inside_stride", "send a frame that ends in the next one's place", [emit(0, "0x200001", 9216, 0, 0)]),
  emits("emit_behind_area", "send what lies behind the emit area", [emit(0, "{{area.emit.end}}", 60, 0, 0)]),
  emits("emit_last_address", "wrap the address of a frame", [emit(0, "0xffffffff", 60, 0, 0)]),
  emits("emit_too_long", "send a frame of 64 KiB", [emit(0, "{{area.emit}}", 65535, 0, 0)]),
  emits("emit_too_short", "send a frame without an Ethernet header", [emit(0, "{{area.emit}}", 13, 0, 0)]),
  emits("emit_direction_unknown", "send in a direction that does not exist", [emit(0, "{{area.emit}}", 60, 2, 0)]),
  emits("emit_for_no_packet", "send for a packet that is not in the call", [emit(0, "{{area.emit}}", 60, 0, 255)]),
  emits(
    "emit_too_many",
    "send more frames for a packet than granted",
    [0, 1, 2].map((i) => emit(i, `${0x200000 + i * 9216}`, 60, 0, 0)),
  ),
];

export const ANSWER_ENTRIES: readonly HostileEntry[] = [...RESULTS, ...EMITS];
