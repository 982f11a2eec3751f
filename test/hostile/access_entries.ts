/**
 * Valid artifacts that reach for memory which is not theirs: loads and stores at both ends of each area, in the holes between them, and in areas
 * without the right. One access for each packet; the answer comes after it.
 */
import { AREAS, PAGE_BYTES, Verdict } from "@nfactor/sdk/abi";
import type { ManifestFields } from "../../sdk/admission/testing/artifact.ts";
import { type HostileEntry, running } from "./entry.ts";

type AreaName = keyof typeof AREAS;

/** Every right there is, so that only the border stops the access. */
const ALL_RIGHTS: ManifestFields = { rights: { view: "payload", edit: "payload", reshape: true, emits: 2 } };
const FAULTED = { in: "process-burst", fault: "out_of_bounds", packets: "faulted" } as const;

const hex = (address: number): string => `0x${address.toString(16)}`;
const load = (address: number | string): string => `(drop (i64.load (i32.const ${address})))`;
const store = (address: number | string): string => `(i64.store (i32.const ${address}) (i64.const -1))`;

function access(name: string, tries: string, code: string, manifest: ManifestFields = {}): HostileEntry {
  const text = `(func $packet (param $result i32) (param $descriptor i32)\n  ${code}\n  (i32.store8 (local.get $result) (i32.const ${Verdict.FORWARD})))`;
  return running(name, tries, FAULTED, { source: { text }, manifest });
}

/** Both ends of an area: just outside of it, and over its border. */
function borders(name: AreaName): HostileEntry[] {
  const { address, bytes } = AREAS[name];
  const end = name === "module" ? address + PAGE_BYTES : address + bytes;
  const places: [where: string, words: string, at: number][] = [
    ["before", "just before", address - 8],
    ["across_start", "across the start of", address - 1],
    ["after", "just behind", end],
    ["across_end", "across the end of", end - 7],
  ];
  // Behind the state area the module's own memory begins.
  return places
    .filter(([where]) => name !== "state" || where !== "after")
    .flatMap(([where, words, at]) => [
      access(`load_${name}_${where}`, `read at ${hex(at)}, ${words} the ${name} area`, load(at), ALL_RIGHTS),
      access(`store_${name}_${where}`, `write at ${hex(at)}, ${words} the ${name} area`, store(at), ALL_RIGHTS),
    ]);
}

// Null has no inside, and behind the configuration's last page comes, without a hole, staging: their borders are written out below.
const BORDERS = (["call", "result", "header", "payload", "emit", "state", "module"] as const).flatMap(borders);

const PLACES: HostileEntry[] = [
  access("load_null", "read at address 0", load(0)),
  access("store_null", "write at address 0", store(0)),
  access("load_null_last", "read the last bytes below the call area", load(AREAS.call.address - 8)),
  access("load_hole_call_result", "read between call and result area", load(hex(0x14000))),
  access("store_hole_header_payload", "write between headers and payloads", store(hex(0x40000)), ALL_RIGHTS),
  access("load_hole_payload_emit", "read between payloads and emitted frames", load(hex(0x100000)), ALL_RIGHTS),
  access("store_hole_emit_config", "write between emitted frames and configuration", store(hex(0x2a0000)), ALL_RIGHTS),
  access("load_hole_staging_state", "read between staging and state", load(hex(0x800000))),
  access("load_state_unused", "read slots that the store does not have", load(hex(0x70000000))),
  access("store_state_unused", "write slots that the store does not have", store(hex(0x70000000))),
  access("load_last_address", "read the last byte of 4 GiB", "(drop (i32.load8_u (i32.const -1)))"),
  access("load_around_the_end", "read around the end of the address space", load(-4)),
  access("load_large_offset", "wrap an address with an offset of 4 GiB", "(drop (i32.load offset=4294967295 (i32.const 65537)))"),
  access("store_large_offset", "wrap an address with an offset of 4 GiB", "(i32.store offset=4294967295 (i32.const 98305) (i32.const -1))"),
  access("load_end_of_heap", "read behind its heap", load(hex(AREAS.module.address + PAGE_BYTES * 16))),
];

const WITHOUT_RIGHT: HostileEntry[] = [
  access("store_burst_header", "set the clock", store(`{{call.burst_header}}`), ALL_RIGHTS),
  access("store_descriptor", "change what the host says of a packet", "(i32.store (local.get $descriptor) (i32.const 0))", ALL_RIGHTS),
  access("store_flow_record", "change whose flow it is", store("{{call.flow_records}}"), ALL_RIGHTS),
  access("store_config", "change its configuration", store("{{area.config}}"), ALL_RIGHTS),
  access("store_staging", "change the slot that is converted", store("{{area.staging}}"), ALL_RIGHTS),
  access("store_header_without_edit", "change a header without the right", "(i32.store8 (i32.load (local.get $descriptor)) (i32.const 255))"),
  access(
    "store_header_with_payload_view",
    "change a header with the right to see payloads",
    "(i32.store8 (i32.load (local.get $descriptor)) (i32.const 255))",
    { rights: { view: "payload" } },
  ),
  access("load_payload_without_view", "read a payload without the right", load("{{area.payload}}")),
  access("load_payload_last_without_view", "read the last payload without the right", load(hex(AREAS.payload.address + AREAS.payload.bytes - 8)), {
    rights: { edit: "headers" },
  }),
  access("load_payload_through_header", "read on from the header to the payload", "(drop (i64.load offset=393216 (i32.load (local.get $descriptor))))"),
  access("store_payload_without_edit", "change a payload with the right to see it", store("{{area.payload}}"), {
    rights: { view: "payload", edit: "headers" },
  }),
  access("load_emit_without_right", "read frames that others emit", load("{{area.emit}}")),
  access("store_emit_without_right", "write a frame without the right to emit", store("{{area.emit}}"), { rights: { view: "payload", edit: "payload" } }),
];

export const ACCESS_ENTRIES: readonly HostileEntry[] = [...BORDERS, ...PLACES, ...WITHOUT_RIGHT];
