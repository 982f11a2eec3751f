import { expect, test } from "vitest";
import { LIMITS } from "../abi/gen/abi.ts";
import { NfError } from "../errors.ts";
import { ConfigError, checkConfigSchema, encodeConfig } from "./index.ts";

const object = (properties: object, required: string[] = []): object => ({ type: "object", properties, required, additionalProperties: false });
const text = (format: string): object => object({ x: { type: "string", format } });

function complaint(schema: unknown, value: unknown): ConfigError {
  try {
    encodeConfig(schema, value);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("the value was taken");
}

test.each([
  ["prefix", "10.0.0.0/8"],
  ["prefix", "10.0.0.1"],
  ["prefix", "2001:db8::/32"],
  ["prefix", "::/0"],
  ["address", "2001:db8::1"],
  ["ipv4", "192.0.2.1"],
  ["ipv6", "::1"],
  ["ports", "80"],
  ["ports", "0-65535"],
  ["ports", "22, 80-90,443"],
])("%s takes %s", (format, value) => {
  expect(encodeConfig(text(format), { x: value }).length).toBeGreaterThan(value.length);
});

test.each([
  ["prefix", "10.0.0.0/33", "config.prefix"],
  ["prefix", "10.0.0/8", "config.prefix"],
  ["prefix", "2001:db8::/129", "config.prefix"],
  ["prefix", "10.0.0.0/8/8", "config.prefix"],
  ["prefix", "10.0.0.0/", "config.prefix"],
  ["address", "10.0.0.256", "config.prefix"],
  ["ipv4", "::1", "config.prefix"],
  ["ports", "65536", "config.port_range"],
  ["ports", "80-", "config.port_range"],
  ["ports", "", "config.port_range"],
  ["ports", "25-23", "config.port_range"],
])("%s refuses %s", (format, value, code) => {
  expect(complaint(text(format), { x: value })).toMatchObject({ code, path: ["x"], given: value });
});

test("a reversed range says what to write", () => {
  expect(complaint(text("ports"), { x: "25-23" }).format()).toBe(
    "error[config.port_range]: 'x' is '25-23': the first is above the last.\n  Allowed: 0-65535, or low-high, several with commas. Write '23-25'.",
  );
});

test("YAML's number is taken for a port, and for no other text", () => {
  expect(encodeConfig(text("ports"), { x: 443 })).toEqual(encodeConfig(text("ports"), { x: "443" }));
  expect(complaint(object({ x: { type: "string" } }), { x: 443 })).toMatchObject({ code: "config.field", path: ["x"] });
});

test("an object is an array of its fields in the schema's order, nil for what is left out", () => {
  const schema = object({ b: { type: "boolean" }, a: { type: "integer", format: "u8" }, c: { type: "array", items: { type: "integer", format: "i8" } } });
  expect([...encodeConfig(schema, { c: [-1, 2], b: true })]).toEqual([0x93, 0xc3, 0xc0, 0x92, 0xff, 2]);
  expect([...encodeConfig(schema, undefined)]).toEqual([0x93, 0xc0, 0xc0, 0xc0]);
});

test("names that every object has are no fields", () => {
  const schema = object({ x: { type: "boolean" } });
  expect(complaint(schema, JSON.parse('{"__proto__": true}'))).toMatchObject({ path: ["__proto__"], at: "key" });
  expect(complaint(schema, { constructor: 1 })).toMatchObject({ path: ["constructor"], at: "key" });
});

test("a configuration beyond the area is refused", () => {
  const schema = object({ x: { type: "string" } });
  expect(encodeConfig(schema, { x: "a".repeat(LIMITS.config_bytes_max - 6) }).length).toBe(LIMITS.config_bytes_max);
  expect(complaint(schema, { x: "a".repeat(LIMITS.config_bytes_max) })).toMatchObject({ code: "config.too_large" });
});

let deep: object = { type: "boolean" };
for (let i = 0; i < 10_000; i++) deep = { type: "array", items: deep };

test.each([
  ["nothing", null],
  ["an array", { type: "array", items: { type: "boolean" } }],
  ["an unknown type", object({ x: { type: "date" } })],
  ["a number without a format", object({ x: { type: "integer" } })],
  ["a bound that is no number", object({ x: { type: "integer", format: "u8", minimum: {} } })],
  ["words that are no texts", object({ x: { type: "string", enum: [1] } })],
  ["a required field that is not there", object({}, ["x"])],
  ["a required field of Object's", object({}, ["toString"])],
  ["depth", object({ x: deep })],
  ["many nodes", object(Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`f${i}`, { type: "boolean" }])))],
])("a schema with %s is none", (_, schema) => {
  expect(() => checkConfigSchema(schema)).toThrow(NfError);
  expect(() => encodeConfig(schema, {})).toThrow(expect.objectContaining({ code: "nf.artifact" }));
});
