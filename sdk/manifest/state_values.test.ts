import { expect, test } from "vitest";
import { readState, stateToJson } from "./state_values.ts";

const schema = {
  bytes: 40,
  fields: [
    { name: "total", type: "u64", offset: 0, size: 8 },
    { name: "delta", type: "i16", offset: 8, size: 2 },
    { name: "seen", type: "bool", offset: 10, size: 1 },
    { name: "ports", type: "u16[]", offset: 12, size: 4 },
    { name: "raw", type: "bytes", offset: 16, size: 2 },
    { name: "host", type: "bytes", offset: 18, size: 6, text: true },
    { name: "pair", type: "u64[]", offset: 24, size: 16 },
  ] as const,
};

function slot(): Uint8Array {
  // At an odd offset of a larger buffer, as slots come out of messages.
  const whole = new Uint8Array(64);
  const bytes = whole.subarray(3, 3 + 40);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setBigUint64(0, 0xffffffffffffffffn, true);
  view.setInt16(8, -2, true);
  view.setUint8(10, 1);
  view.setUint16(12, 80, true);
  view.setUint16(14, 443, true);
  bytes.set([0xab, 0x01], 16);
  bytes.set(new TextEncoder().encode("höst"), 18);
  view.setBigUint64(32, 7n, true);
  return bytes;
}

test("fields are read by name, with their types", () => {
  expect(readState({ ...schema, fields: [...schema.fields] }, slot())).toEqual({
    total: 18446744073709551615n,
    delta: -2,
    seen: true,
    ports: [80, 443],
    raw: "ab01",
    host: "höst",
    pair: [0n, 7n],
  });
});

test("JSON has 64-bit values as digits", () => {
  const json = stateToJson({ ...schema, fields: [...schema.fields] }, slot());
  expect(json).toMatchObject({ total: "18446744073709551615", pair: ["0", "7"], delta: -2 });
});

test("a slot that is too short is refused, not read beyond its end", () => {
  expect(() => readState({ ...schema, fields: [...schema.fields] }, new Uint8Array(39))).toThrow(RangeError);
});
