/**
 * The configuration's schema: the JSON schema that the compiler writes from an NF's @config class, and the artifact carries.
 *
 * `properties` are in the order of the class: a configuration travels as an array of its fields in that order. `format` names the field's exact
 * type, since JSON schema knows neither widths nor 64 bits.
 */
export const NUMBER_FORMATS = ["u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "f32", "f64"] as const;
export type NumberFormat = (typeof NUMBER_FORMATS)[number];

interface Described {
  description?: string;
}
export interface BooleanSchema extends Described {
  type: "boolean";
  default?: boolean;
}
export interface NumberSchema extends Described {
  type: "integer" | "number";
  format: NumberFormat;
  /** Absent where only the type's own range holds. 64-bit bounds and defaults beyond 2^53 are strings of digits. */
  minimum?: number | string;
  maximum?: number | string;
  default?: number | string;
}
export interface StringSchema extends Described {
  type: "string";
  enum?: string[];
  pattern?: string;
  maxLength?: number;
  /** One of TEXT_FORMATS (formats.ts). */
  format?: string;
  default?: string;
}
export interface ArraySchema extends Described {
  type: "array";
  items: ConfigNode;
  maxItems?: number;
  default?: [];
}
export interface ObjectSchema extends Described {
  type: "object";
  title?: string;
  properties: Record<string, ConfigNode>;
  required?: string[];
  additionalProperties: false;
}
export type ConfigNode = BooleanSchema | NumberSchema | StringSchema | ArraySchema | ObjectSchema;
export type ConfigSchema = ObjectSchema;
