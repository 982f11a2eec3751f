/**
 * A configuration value → the bytes that `configure` gets: MessagePack, every object an array of its fields in the order of the schema, nil where
 * the default holds. The value is checked completely; the first thing wrong is thrown with its path, so that the caller can point into its file.
 */
import { Packr } from "msgpackr";
import { LIMITS } from "../abi/gen/abi.ts";
import { type ErrorCode, NfError, type NfErrorDetails } from "../errors.ts";
import { nearest } from "../manifest/suggest.ts";
import { type Path, formatPath } from "../manifest/yaml_file.ts";
import { checkConfigSchema } from "./check_schema.ts";
import { TEXT_FORMATS } from "./formats.ts";
import type { ArraySchema, ConfigNode, NumberFormat, NumberSchema, ObjectSchema, StringSchema } from "./schema.ts";

/** Something wrong in a configuration value. */
export class ConfigError extends NfError {
  /** From the configuration's root to the value. */
  readonly path: Path;
  /** Whether the value at `path` is wrong, or its key. */
  readonly at: "value" | "key";
  /** The complaint without the path before it. */
  readonly reason: string;

  constructor(code: ErrorCode, path: Path, reason: string, details: NfErrorDetails = {}, at: "value" | "key" = "value") {
    super(code, path.length === 0 ? `the configuration ${reason}` : `'${formatPath(path)}' ${reason}`, details);
    this.path = path;
    this.at = at;
    this.reason = reason;
  }
}

const packr = new Packr({ useRecords: false, variableMapSize: true });

/** Checks and encodes; throws ConfigError (config.field, config.prefix, config.port_range, config.too_large) or NfError nf.artifact for a schema that is none. */
export function encodeConfig(schema: unknown, value: unknown): Uint8Array {
  const plain = objectValue(checkConfigSchema(schema), value ?? {}, []);
  const bytes = Uint8Array.from(packr.pack(plain));
  if (bytes.length <= LIMITS.config_bytes_max) return bytes;
  throw new ConfigError("config.too_large", [], `takes ${bytes.length} bytes`, { allowed: `at most ${LIMITS.config_bytes_max} bytes` });
}

function nodeValue(schema: ConfigNode, value: unknown, path: Path): unknown {
  switch (schema.type) {
    case "boolean":
      return typeof value === "boolean" ? value : wrongType(value, path, "true or false");
    case "integer":
      return integerValue(schema, value, path);
    case "number":
      return floatValue(schema, value, path);
    case "string":
      return stringValue(schema, value, path);
    case "array":
      return arrayValue(schema, value, path);
    case "object":
      return objectValue(schema, value, path);
  }
}

function objectValue(schema: ObjectSchema, value: unknown, path: Path): unknown[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return wrongType(value, path, "an object, with its fields as 'name: value'");
  const given = value as Record<string, unknown>;
  const names = Object.keys(schema.properties);
  for (const key of Object.keys(given)) {
    if (Object.hasOwn(schema.properties, key)) continue;
    const meant = nearest(key, names);
    const allowed = names.length === 0 ? "no fields: this NF takes no configuration here" : names.join(", ");
    throw new ConfigError(
      "config.field",
      [...path, key],
      "is no field of this NF's configuration",
      { given: key, allowed, fix: meant === undefined ? undefined : `Did you mean '${meant}'?` },
      "key",
    );
  }
  return names.map((name) => {
    const field = Object.hasOwn(given, name) ? given[name] : undefined;
    if (field !== undefined && field !== null) return nodeValue(schema.properties[name]!, field, [...path, name]);
    if (schema.required?.includes(name)) {
      const allowed = describe(schema.properties[name]!);
      if (field === null) throw new ConfigError("config.field", [...path, name], "is empty", { allowed });
      throw new ConfigError("config.field", path, `lacks '${name}'`, { allowed });
    }
    return null;
  });
}

function arrayValue(schema: ArraySchema, value: unknown, path: Path): unknown[] {
  if (!Array.isArray(value)) return wrongType(value, path, "a list");
  if (schema.maxItems !== undefined && value.length > schema.maxItems) {
    throw new ConfigError("config.field", path, `has ${value.length} elements`, { given: String(value.length), allowed: `at most ${schema.maxItems}` });
  }
  return value.map((item, i) => nodeValue(schema.items, item, [...path, i]));
}

function stringValue(schema: StringSchema, value: unknown, path: Path): string {
  // YAML reads a port as a number; as text it is what the author meant.
  const text = typeof value === "number" && schema.format !== undefined ? String(value) : value;
  if (typeof text !== "string") return wrongType(value, path, describe(schema));
  if (schema.enum && !schema.enum.includes(text)) {
    const meant = nearest(text, schema.enum);
    throw new ConfigError("config.field", path, `is '${shorten(text)}'`, {
      given: text,
      allowed: schema.enum.join(", "),
      fix: meant === undefined ? undefined : `Did you mean '${meant}'?`,
    });
  }
  if (schema.maxLength !== undefined && text.length > schema.maxLength) {
    throw new ConfigError("config.field", path, `has ${text.length} characters`, { given: shorten(text), allowed: `at most ${schema.maxLength}` });
  }
  const complaint = schema.format === undefined || !Object.hasOwn(TEXT_FORMATS, schema.format) ? undefined : TEXT_FORMATS[schema.format]!(text);
  if (complaint)
    throw new ConfigError(complaint.code, path, `is '${shorten(text)}': ${complaint.message}`, { given: text, allowed: complaint.allowed, fix: complaint.fix });
  if (/\p{Surrogate}/u.test(text)) throw new ConfigError("config.field", path, "holds half of a surrogate pair", { allowed: "well-formed Unicode" });
  return text;
}

const BITS: Record<NumberFormat, number> = { u8: 8, u16: 16, u32: 32, u64: 64, i8: 8, i16: 16, i32: 32, i64: 64, f32: 32, f64: 64 };

function integerRange(schema: NumberSchema): [bigint, bigint] {
  const bits = BigInt(BITS[schema.format]);
  const [low, high] = schema.format.startsWith("u") ? [0n, (1n << bits) - 1n] : [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n];
  const bound = (value: number | string | undefined, otherwise: bigint): bigint => {
    return value === undefined || (typeof value === "number" && !Number.isInteger(value)) ? otherwise : BigInt(value);
  };
  return [bound(schema.minimum, low), bound(schema.maximum, high)];
}

function integerValue(schema: NumberSchema, value: unknown, path: Path): number | bigint {
  const [low, high] = integerRange(schema);
  const allowed = `${low} to ${high}`;
  let exact: bigint | undefined;
  if (typeof value === "bigint") exact = value;
  else if (Number.isSafeInteger(value)) exact = BigInt(value as number);
  else if (BITS[schema.format] === 64 && typeof value === "string" && /^-?\d{1,20}$/.test(value)) exact = BigInt(value);
  else if (typeof value === "number" && Number.isInteger(value)) {
    throw new ConfigError("config.field", path, `is ${value}, which is beyond what a plain number holds exactly`, {
      given: String(value),
      allowed,
      fix: "Write it as a string of digits.",
    });
  }
  if (exact === undefined) return wrongType(value, path, `a whole number, ${allowed}`);
  if (exact < low || exact > high) throw new ConfigError("config.field", path, `is ${exact}`, { given: String(exact), allowed });
  // The packer writes whole numbers beyond 32 bits as floats, unless they are bigint.
  return exact >= -0x80000000n && exact <= 0xffffffffn ? Number(exact) : exact;
}

function floatValue(schema: NumberSchema, value: unknown, path: Path): number {
  if (typeof value !== "number" || !Number.isFinite(value)) return wrongType(value, path, "a number");
  const low = Number(schema.minimum ?? (schema.format === "f32" ? -3.4028234663852886e38 : -Number.MAX_VALUE));
  const high = Number(schema.maximum ?? (schema.format === "f32" ? 3.4028234663852886e38 : Number.MAX_VALUE));
  if (value < low || value > high) throw new ConfigError("config.field", path, `is ${value}`, { given: String(value), allowed: `${low} to ${high}` });
  return value;
}

function wrongType(value: unknown, path: Path, allowed: string): never {
  const given = shorten(typeof value === "bigint" ? String(value) : (JSON.stringify(value) ?? String(value)));
  throw new ConfigError("config.field", path, `is ${given}`, { given, allowed });
}

function describe(schema: ConfigNode): string {
  switch (schema.type) {
    case "boolean":
      return "true or false";
    case "integer":
      return `a whole number, ${integerRange(schema).join(" to ")}`;
    case "number":
      return "a number";
    case "string":
      return schema.enum ? schema.enum.join(", ") : "text";
    case "array":
      return "a list";
    case "object":
      return `an object with ${Object.keys(schema.properties).join(", ")}`;
  }
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
