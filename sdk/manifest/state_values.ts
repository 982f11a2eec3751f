/**
 * The bytes of a flow's slot → values by field name: 64-bit fields as bigint, arrays as arrays, byte strings as hex, or as text where the
 * schema says so. `stateToJson` is the same as JSON shows it: 64-bit values as strings of decimal digits.
 */
import { type StateField, type StateSchema, elementBytes } from "./state_schema.ts";

export type StateScalar = number | bigint | boolean | string;
export type StateValue = StateScalar | StateScalar[];
export type StateJson = Record<string, number | boolean | string | (number | boolean | string)[]>;

type Layout = Pick<StateSchema, "bytes" | "fields">;
type Read<T> = (view: DataView) => T;
type JsonValue = StateJson[string];

interface Readers {
  values: [string, Read<StateValue>][];
  json: [string, Read<JsonValue>][];
}

/** Long runs read the same layout a million times: what each field needs is found out once. */
const known = new WeakMap<Layout, Readers>();

function readersOf(schema: Layout): Readers {
  let readers = known.get(schema);
  if (!readers) {
    const values = schema.fields.map((field): [string, Read<StateValue>] => [field.name, fieldReader(field)]);
    readers = { values, json: values.map(([name, read]) => [name, (view) => plain(read(view))]) };
    known.set(schema, readers);
  }
  return readers;
}

/** `slot` has at least the schema's bytes; throws RangeError otherwise. */
export function readState(schema: Layout, slot: Uint8Array): Record<string, StateValue> {
  return readAll(schema, slot, readersOf(schema).values);
}

export function stateToJson(schema: Layout, slot: Uint8Array): StateJson {
  return readAll(schema, slot, readersOf(schema).json);
}

function readAll<T>(schema: Layout, slot: Uint8Array, readers: readonly [string, Read<T>][]): Record<string, T> {
  if (slot.length < schema.bytes) throw new RangeError(`a slot of ${schema.bytes} bytes cannot be read from ${slot.length}`);
  const view = new DataView(slot.buffer, slot.byteOffset, slot.byteLength);
  const state: Record<string, T> = {};
  for (const [name, read] of readers) {
    // A field may be called __proto__, which is no ordinary assignment.
    if (name === "__proto__") Object.defineProperty(state, name, { value: read(view), enumerable: true, configurable: true, writable: true });
    else state[name] = read(view);
  }
  return state;
}

function plain(value: StateValue): JsonValue {
  if (typeof value === "bigint") return String(value);
  return Array.isArray(value) ? value.map((item) => (typeof item === "bigint" ? String(item) : item)) : value;
}

function fieldReader({ type, offset, size, text }: StateField): Read<StateValue> {
  const bytesOf: Read<Uint8Array> = (view) => new Uint8Array(view.buffer, view.byteOffset + offset, size);
  if (text) return (view) => textOf(bytesOf(view));
  if (type === "bytes") return (view) => Buffer.from(bytesOf(view)).toString("hex");
  if (!type.endsWith("[]")) return scalarReader(type, offset);
  const unit = elementBytes(type);
  const elements = Array.from({ length: size / unit }, (_, i) => scalarReader(type.slice(0, -2), offset + i * unit));
  return (view) => elements.map((read) => read(view));
}

function scalarReader(type: string, offset: number): Read<StateScalar> {
  switch (type) {
    case "bool":
      return (view) => view.getUint8(offset) !== 0;
    case "u8":
      return (view) => view.getUint8(offset);
    case "i8":
      return (view) => view.getInt8(offset);
    case "u16":
      return (view) => view.getUint16(offset, true);
    case "i16":
      return (view) => view.getInt16(offset, true);
    case "u32":
      return (view) => view.getUint32(offset, true);
    case "i32":
      return (view) => view.getInt32(offset, true);
    case "i64":
      return (view) => view.getBigInt64(offset, true);
    default:
      return (view) => view.getBigUint64(offset, true);
  }
}

const utf8 = new TextDecoder();

/** Up to the first zero byte; bytes that are no UTF-8 show as U+FFFD. */
function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return utf8.decode(end < 0 ? bytes : bytes.subarray(0, end));
}
