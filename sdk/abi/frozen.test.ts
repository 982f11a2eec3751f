/** The ABI of version 1 stays what it was when it was frozen; what may be added can be added. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { breaches, factsOf, frozenLines } from "./frozen.ts";
import { type Abi, parseAbi } from "./model.ts";

const read = (name: string): string => readFileSync(new URL(name, import.meta.url), "utf8");
const FROZEN = frozenLines(read("frozen_v1.txt"));
const FROZEN_LINES = 224;
const FROZEN_SHA256 = "92df7e9ce671a8c7993a5b17302e29ff8af767fc7ff2109449801c25ba0a8928";
const abi = (): Abi => parseAbi(JSON.parse(read("nf_abi.json")));
const HELP =
  "Version 1 of the ABI is frozen: modules that were built for it rely on this. Undo the change of nf_abi.json, or make it an addition as docs/adr/0005-abi-v1-frozen.md allows; anything else needs ABI version 2.";

test("nf_abi.json breaks nothing that was frozen", () => {
  expect(breaches(abi(), FROZEN), HELP).toEqual([]);
});

test("the list of what was frozen was not changed itself: lines are only added behind the others", () => {
  const digest = createHash("sha256").update(FROZEN.slice(0, FROZEN_LINES).join("\n")).digest("hex");
  expect(digest, `frozen_v1.txt differs in its first ${FROZEN_LINES} lines. ${HELP}`).toBe(FROZEN_SHA256);
});

/** A copy of today's ABI with a change. */
function changed(change: (abi: Abi) => void): string[] {
  const copy = abi();
  change(copy);
  return breaches(copy, FROZEN);
}
const named = <T extends { name: string }>(list: T[], name: string): T => list.find((item) => item.name === name)!;

const breaking: [string, (abi: Abi) => void, RegExp][] = [
  ["another version", (a) => (a.abi_version = 2), /version 1/],
  ["an area that moves", (a) => (named(a.memory.areas, "state").address += 65_536), /area state/],
  ["an area with other rights", (a) => (named(a.memory.areas, "call").access = "write"), /area call/],
  ["a part that moves", (a) => (named(a.memory.call_layout, "descriptors").address += 64), /part descriptors/],
  ["a record that grows", (a) => (named(a.records, "descriptor").bytes = 128), /record descriptor/],
  ["a field that moves", (a) => (named(named(a.records, "descriptor").fields, "after_now_ns").offset = 56), /field descriptor\.after_now_ns/],
  ["a field that goes", (a) => void named(a.records, "result").fields.pop(), /field result\.out_port/],
  ["a field of another type", (a) => (named(named(a.records, "descriptor").fields, "lease").type = "u16"), /field descriptor\.lease/],
  ["a verdict of another number", (a) => (named(named(a.enums, "verdict").values, "REPLY").value = 5), /value verdict\.REPLY/],
  ["a drop reason of another name", (a) => (named(named(a.enums, "drop_reason").values, "non_ip").name = "no_ip"), /value drop_reason\.non_ip/],
  [
    "a drop reason among the NFs' own",
    (a) => void named(a.enums, "drop_reason").values.push({ name: "late", value: 128, doc: "" }),
    /drop reason late = 128: from 128 on/,
  ],
  ["a limit of the layout that rises", (a) => (named(a.limits, "burst_packets").value = 64), /limit burst_packets/],
  ["a bound that falls", (a) => (named(a.limits, "functions_max").value -= 1), /limit functions_max/],
  ["a limit that goes", (a) => void a.limits.pop(), /limit lease_quarantine_ms/],
  ["an export with another parameter", (a) => (named(a.exports.optional, "tick").params[0]!.type = "u32"), /optional tick/],
  ["an export that becomes required", (a) => a.exports.required.push(a.exports.optional.pop()!), /optional .*required /s],
  ["a new required export", (a) => void a.exports.required.push({ name: "more", params: [], result: null, doc: "" }), /'required more\(\)' is new/],
];
test.each(breaking)("%s is a breach", (_, change, message) => expect(changed(change).join("\n")).toMatch(message));

const compatible: [string, (abi: Abi) => void][] = [
  ["a drop reason of the host", (a) => void named(a.enums, "drop_reason").values.push({ name: "late", value: 127, doc: "" })],
  ["a close reason", (a) => void named(a.enums, "close_reason").values.push({ name: "MOVED", value: 99, doc: "" })],
  ["a bit of the packet's flags", (a) => void named(a.enums, "packet_flag").values.push({ name: "NEW", value: 0x8000, doc: "" })],
  ["a field in reserved bytes", (a) => void named(a.records, "descriptor").fields.push({ name: "new", type: "u32", offset: 56, doc: "" })],
  ["an optional export", (a) => void a.exports.optional.push({ name: "more", params: [], result: null, doc: "" })],
  ["a bound that rises", (a) => (named(a.limits, "functions_max").value += 1)],
  ["a limit of the host's behaviour", (a) => (named(a.limits, "refused_ms").value = 500)],
  ["a new limit, a new area in a hole", (a) => void a.limits.push({ name: "more_max", value: 1, doc: "" })],
  ["another comment", (a) => (named(a.limits, "burst_packets").doc = "Another.")],
];
test.each(compatible)("%s is none", (_, change) => expect(changed(change)).toEqual([]));

test("every kind of fact is in the list", () => {
  const kinds = (lines: readonly string[]): string[] => [...new Set(lines.map((line) => line.split(" ")[0]!))].sort();
  expect(kinds(FROZEN)).toEqual(kinds(factsOf(abi())));
});
