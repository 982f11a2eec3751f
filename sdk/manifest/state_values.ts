/**
 * The bytes of a flow's slot → values by field name: 64-bit fields as bigint, arrays as arrays, byte strings as hex, or as text where the
 * schema says so. `stateToJson` is the same as JSON shows it: 64-bit values as strings of decimal digits.
 */
import { type StateField, type StateSchema, elementBytes } from "./state_schema.ts";

export type StateScalar = number | bigint | boolean | string;
export type StateValue = StateScalar | StateScalar[];
export type StateJson = Record<string, number | boolean | string | (number | boolean | string)[]>;

/** `slot` has at least the schema's bytes; throws RangeError otherwise. */
export function readState(schema: Pick<StateSchema, "bytes" | "fields">, slot: Uint8Array): Record<string, StateValue> {
  if (slot.length < schema.bytes) throw new RangeError(`a slot of ${schema.bytes} bytes cannot be read from ${slot.length}`);
  const view = new DataView(slot.buffer, slot.byteOffset, slot.byteLength);
  return Object.fromEntries(schema.fields.map((field) => [field.name, fieldValue(field, view)]));
}

export function stateToJson(schema: Pick<StateSchema, "bytes" | "fields">, slot: Uint8Array): StateJson {
  const plain = (value: StateScalar): number | boolean | string => (typeof value === "bigint" ? String(value) : value);
  const values = Object.entries(readState(schema, slot));
  return Object.fromEntries(values.map(([name, value]) => [name, Array.isArray(value) ? value.map(plain) : plain(value)]));
}

function fieldValue(field: StateField, view: DataView): StateValue {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + field.offset, field.size);
  if (field.text) return textOf(bytes);
  if (field.type === "bytes") return Buffer.from(bytes).toString("hex");
  if (!field.type.endsWith("[]")) return scalar(field.type, view, field.offset);
  const unit = elementBytes(field.type);
  const element = field.type.slice(0, -2);
  return Array.from({ length: field.size / unit }, (_, i) => scalar(element, view, field.offset + i * unit));
}

function scalar(type: string, view: DataView, offset: number): StateScalar {
  switch (type) {
    case "bool":
      return view.getUint8(offset) !== 0;
    case "u8":
      return view.getUint8(offset);
    case "i8":
      return view.getInt8(offset);
    case "u16":
      return view.getUint16(offset, true);
    case "i16":
      return view.getInt16(offset, true);
    case "u32":
      return view.getUint32(offset, true);
    case "i32":
      return view.getInt32(offset, true);
    case "i64":
      return view.getBigInt64(offset, true);
    default:
      return view.getBigUint64(offset, true);
  }
}

/** Up to the first zero byte; bytes that are no UTF-8 show as U+FFFD. */
function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
