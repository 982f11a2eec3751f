/**
 * What of the ABI never changes within its version: docs/adr/0005-abi-v1-frozen.md says why. frozen_v1.txt lists it, one fact a line; lines are only ever
 * added. A module that was built for version 1 relies on each of them, and runs on every later host of version 1.
 *
 * `limit x = 1` is a number of the layout, `limit x >= 1` a bound that may rise, `limit x` one that a host may choose.
 */
import type { Abi } from "./model.ts";

const hex = (address: number): string => `0x${address.toString(16).padStart(8, "0")}`;

/** Limits that modules have compiled into them, or that their memory is laid out by. */
const OF_LAYOUT = [
  "burst_packets",
  "header_stride",
  "payload_stride",
  "frame_bytes_max",
  "emits_per_packet_max",
  "emits_per_burst_max",
  "emit_stride",
  "counters_max",
  "log_records",
  "log_text_bytes_max",
  "fault_text_bytes_max",
  "state_align",
  "vlan_tags_max",
];
/** Limits of the host's behaviour: what docs/packet_path.md does with time and fragments. Modules do not see them. */
const OF_THE_HOST = [
  "poll_gap_ns",
  "expiry_tick_shift",
  "tick_interval_ms",
  "fault_quarantine_count",
  "fault_quarantine_window_ns",
  "fragment_datagrams_max",
  "fragment_held_max",
  "fragment_held_per_datagram_max",
  "fragment_timeout_ns",
  "refused_ms",
  "lease_quarantine_ms",
];

/** Every fact of an ABI, as lines. */
export function factsOf(abi: Abi): string[] {
  const { memory, exports } = abi;
  const functionText = ({ name, params, result }: Abi["exports"]["required"][number]): string =>
    `${name}(${params.map(({ type }) => type).join(", ")})${result === null ? "" : ` -> ${result}`}`;
  return [
    `version ${abi.abi_version}`,
    `world ${abi.wit.package.replace(/@.*/, "")} ${abi.wit.world}`,
    `page ${memory.page_bytes}`,
    `base_pages ${memory.base_pages}`,
    `memory export ${exports.memory}`,
    ...memory.areas.map(({ name, address, bytes, access }) => `area ${name} at ${hex(address)}, ${bytes} bytes, ${access}`),
    ...[...memory.call_layout, ...memory.result_layout].map(
      ({ name, address, record, type, count }) => `part ${name} at ${hex(address)}: ${record ?? type ?? ""}${count === undefined ? "" : ` × ${count}`}`,
    ),
    ...abi.records.flatMap(({ name, bytes, fields }) => [
      `record ${name}, ${bytes} bytes`,
      ...fields.map((field) => `field ${name}.${field.name} ${field.type} at ${field.offset}`),
    ]),
    ...abi.enums.flatMap(({ name, type, bits, values }) => [
      `enum ${name} ${type}${bits ? " bits" : ""}`,
      ...values.map((value) => `value ${name}.${value.name} = ${value.value}`),
    ]),
    ...abi.limits.map(({ name, value }) =>
      OF_LAYOUT.includes(name) ? `limit ${name} = ${value}` : OF_THE_HOST.includes(name) ? `limit ${name}` : `limit ${name} >= ${value}`,
    ),
    ...exports.required.map((required) => `required ${functionText(required)}`),
    ...exports.optional.map((optional) => `optional ${functionText(optional)}`),
  ];
}

/** What this ABI breaks of the frozen one; empty when modules of then run now. */
export function breaches(abi: Abi, frozen: readonly string[]): string[] {
  const facts = new Set(factsOf(abi));
  const floors = new Map([...facts].map((fact) => /^(limit \w+ >=) (\d+)$/.exec(fact)).flatMap((match) => (match ? [[match[1]!, Number(match[2])]] : [])));
  const holds = (fact: string): boolean => {
    const floor = /^(limit \w+ >=) (\d+)$/.exec(fact);
    return floor ? (floors.get(floor[1]!) ?? -1) >= Number(floor[2]) : facts.has(fact);
  };
  const old = new Set(frozen);
  return [
    ...frozen.filter((fact) => !holds(fact)).map((fact) => `'${fact}' does not hold any more`),
    ...[...facts].filter((fact) => fact.startsWith("required ") && !old.has(fact)).map((fact) => `'${fact}' is new: modules of then do not have it`),
    ...abi.enums
      .filter(({ name }) => name === "drop_reason")
      .flatMap(({ values }) => values)
      .filter(({ value }) => value > 127)
      .map(({ name, value }) => `drop reason ${name} = ${value}: from 128 on they are the NFs' own`),
  ];
}

/** The lines of a frozen list, without comments. */
export const frozenLines = (text: string): string[] => text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
