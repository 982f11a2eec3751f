/**
 * What goes between controller and hosts and is nobody else's business: keys, tokens, certificates, what NFs are configured with. A schema says so where it is
 * declared, so that a log leaves it out without knowing names.
 */
import { z } from "zod";

const hidden = z.registry<{ hidden: string }>();

/** `what` stands in its place. */
export function hide<S extends z.ZodType>(schema: S, what: string): S {
  hidden.add(schema, { hidden: what });
  return schema;
}

/** A schema as JSON schema, with `hidden` where something is. */
export interface Shape {
  readonly hidden?: string;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: Shape | boolean;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
}

export function shapeOf(schema: z.ZodType): Shape {
  return z.toJSONSchema(schema, { metadata: hidden, unrepresentable: "any" }) as Shape;
}

const TEXT_MAX = 200;
const ITEMS_MAX = 16;
const FIELDS_MAX = 64;
const DEPTH_MAX = 10;
const UNKNOWN: Shape = { hidden: "no field of this method" };

/** A value as it may be shown: without what its shape hides, bytes as their number, and what is long cut where it says so. */
export function shown(value: unknown, shape: Shape = {}, depth = 0): unknown {
  const alternatives = [shape, ...(shape.anyOf ?? []), ...(shape.oneOf ?? [])];
  const what = alternatives.find((one) => one.hidden !== undefined)?.hidden;
  if (what !== undefined && value !== undefined) return `(left out: ${what})`;
  if (value instanceof Uint8Array) return `(${value.length} bytes)`;
  if (typeof value === "string") return value.length > TEXT_MAX ? `${value.slice(0, TEXT_MAX)} … (${value.length - TEXT_MAX} more characters)` : value;
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null) return value;
  if (depth >= DEPTH_MAX) return "…";
  if (Array.isArray(value)) {
    const items = alternatives.find((one) => one.items)?.items;
    const all = value.slice(0, ITEMS_MAX).map((item) => shown(item, items, depth + 1));
    return value.length > ITEMS_MAX ? [...all, `… (${value.length - ITEMS_MAX} more)`] : all;
  }
  const fields = Object.entries(value);
  const all = fields.slice(0, FIELDS_MAX).map(([name, field]) => [name, shown(field, shapeOfField(alternatives, name), depth + 1)]);
  return Object.fromEntries(fields.length > FIELDS_MAX ? [...all, ["…", `${fields.length - FIELDS_MAX} more fields`]] : all);
}

/** Of several that may be meant, one that hides something in it: too little is shown rather than too much. So is a field that no schema knows. */
function shapeOfField(alternatives: readonly Shape[], name: string): Shape | undefined {
  const found = alternatives.flatMap(({ properties, additionalProperties: others }): Shape[] => {
    if (properties && Object.hasOwn(properties, name)) return [properties[name]!];
    return typeof others === "object" ? [others] : others === false ? [UNKNOWN] : [];
  });
  const known = found.filter((one) => one !== UNKNOWN);
  return known.length > 1 ? { anyOf: known } : (known[0] ?? found[0]);
}
