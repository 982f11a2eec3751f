/**
 * The model of nf_abi.json: its shape (zod), and the checks that make it worth generating from.
 *
 * `loadAbi` reads the file and refuses it when a record has an implicit hole, a misaligned field or a wrong size, when areas overlap or leave
 * their place, or when a name or value appears twice. What it returns has every hole filled with an explicit `reserved_<offset>` field, so that
 * all emitters state the same bytes. Build time only.
 */
import { readFileSync } from "node:fs";
import { z } from "zod";

export const SCALAR_BYTES = { u8: 1, u16: 2, u32: 4, u64: 8 } as const;
export type Scalar = keyof typeof SCALAR_BYTES;

const identifier = z.string().regex(/^[a-zA-Z][a-zA-Z0-9_]*$/);
const kebab = z.string().regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
const scalar = z.enum(["u8", "u16", "u32", "u64"]);
const address = z
  .string()
  .regex(/^0x[0-9a-f]{8}$/)
  .transform((text) => Number.parseInt(text, 16));
const layout = z.strictObject({ name: identifier, address, record: identifier.optional(), type: scalar.optional(), count: identifier.optional() });
const value = z.strictObject({ name: identifier, value: z.int().nonnegative(), doc: z.string() });
const exported = z.strictObject({
  name: kebab,
  params: z.array(z.strictObject({ name: kebab, type: scalar })),
  result: scalar.nullable(),
  doc: z.string(),
});

const abiFile = z.strictObject({
  $comment: z.string(),
  abi_version: z.int().positive(),
  wit: z.strictObject({ package: z.string(), world: kebab }),
  limits: z.array(value),
  memory: z.strictObject({
    page_bytes: z.int().positive(),
    base_pages: z.int().positive(),
    areas: z.array(
      z.strictObject({ name: identifier, address, bytes: z.int().nonnegative(), access: z.enum(["none", "read", "write", "by rights"]), doc: z.string() }),
    ),
    call_layout: z.array(layout),
    result_layout: z.array(layout),
  }),
  records: z.array(
    z.strictObject({
      name: identifier,
      bytes: z.int().positive(),
      doc: z.string(),
      fields: z.array(
        z.strictObject({
          name: identifier,
          type: z.string().regex(/^(u8|u16|u32|u64)(\[\d+\])?$/),
          offset: z.int().nonnegative(),
          doc: z.string(),
        }),
      ),
    }),
  ),
  enums: z.array(z.strictObject({ name: identifier, type: scalar, bits: z.boolean().optional(), values: z.array(value) })),
  exports: z.strictObject({ required: z.array(exported), optional: z.array(exported), memory: z.string() }),
});

export type Abi = z.output<typeof abiFile>;
export type Layout = z.output<typeof layout>;
export type ExportedFunction = z.output<typeof exported>;
export type EnumSpec = Abi["enums"][number];

/** One field with its type taken apart; `reserved` fields were not in the file: they fill a hole, and are zero. */
export interface Field {
  name: string;
  scalar: Scalar;
  /** Elements, for an array field; undefined for a single value. */
  length?: number;
  offset: number;
  bytes: number;
  reserved: boolean;
  doc: string;
}
export interface Record_ {
  name: string;
  bytes: number;
  align: number;
  doc: string;
  fields: Field[];
}
/** A part of an area: `count` records or scalars from `address` on. */
export interface Part {
  name: string;
  address: number;
  bytes: number;
  count: number;
  of: string;
}
export interface AbiModel {
  abi: Abi;
  records: Record_[];
  call: Part[];
  result: Part[];
  limit(name: string): number;
}

/** The file's value as it is, without the checks. */
export const parseAbi = (json: unknown): Abi => abiFile.parse(json);

/** Reads and checks nf_abi.json; throws an Error whose message lists everything that is wrong. */
export function loadAbi(path: string | URL): AbiModel {
  return checkAbi(JSON.parse(readFileSync(path, "utf8")));
}

/** The checks of `loadAbi` on a parsed value. */
export function checkAbi(json: unknown): AbiModel {
  const abi = parseAbi(json);
  const problems: string[] = [];
  const unique = (what: string, values: readonly (string | number)[]) => {
    const seen = new Set<string | number>();
    for (const v of values) {
      if (seen.has(v)) problems.push(`${what}: '${v}' appears twice`);
      seen.add(v);
    }
  };
  const limits = new Map(abi.limits.map((l) => [l.name, l.value]));
  const limit = (name: string): number => {
    const found = limits.get(name);
    if (found === undefined) throw new Error(`nf_abi.json: no limit '${name}'`);
    return found;
  };
  unique(
    "limits",
    abi.limits.map((l) => l.name),
  );
  unique(
    "records",
    abi.records.map((r) => r.name),
  );
  unique(
    "enums",
    abi.enums.map((e) => e.name),
  );
  unique(
    "exports",
    [...abi.exports.required, ...abi.exports.optional].map((e) => e.name),
  );
  for (const e of abi.enums) checkEnum(e, unique, problems);
  const records = abi.records.map((record) => layRecord(record, problems));
  checkAreas(abi, problems);
  const parts = (list: Layout[], area: string): Part[] => layParts(abi, records, limits, list, area, problems);
  const call = parts(abi.memory.call_layout, "call");
  const result = parts(abi.memory.result_layout, "result");
  checkStrides(abi, limit, problems);
  if (problems.length > 0) throw new Error(`nf_abi.json:\n  ${problems.join("\n  ")}`);
  return { abi, records, call, result, limit };
}

function checkEnum(e: EnumSpec, unique: (what: string, values: readonly (string | number)[]) => void, problems: string[]): void {
  unique(
    `enum ${e.name}`,
    e.values.map((v) => v.name),
  );
  unique(
    `enum ${e.name}`,
    e.values.map((v) => v.value),
  );
  const max = 2 ** (8 * SCALAR_BYTES[e.type]) - 1;
  for (const v of e.values) {
    if (v.value > max) problems.push(`enum ${e.name}: ${v.name} does not fit ${e.type}`);
    if (e.bits && (v.value & (v.value - 1)) !== 0) problems.push(`enum ${e.name}: ${v.name} is not one bit`);
  }
}

function layRecord(record: Abi["records"][number], problems: string[]): Record_ {
  const fields: Field[] = [];
  let end = 0;
  let align = 1;
  // Holes become fields, so that no compiler adds padding of its own.
  const fill = (to: number) => {
    if (end < to) fields.push({ name: `reserved_${end}`, scalar: "u8", length: to - end, offset: end, bytes: to - end, reserved: true, doc: "Reserved, 0." });
    end = Math.max(end, to);
  };
  for (const f of record.fields) {
    const match = /^(u\d+)(?:\[(\d+)\])?$/.exec(f.type)!;
    const type = match[1] as Scalar;
    const unit = SCALAR_BYTES[type];
    const length = match[2] === undefined ? undefined : Number(match[2]);
    const bytes = unit * (length ?? 1);
    align = Math.max(align, unit);
    if (f.offset < end) problems.push(`record ${record.name}: ${f.name} @${f.offset} overlaps what ends at ${end}`);
    if (f.offset % unit !== 0) problems.push(`record ${record.name}: ${f.name} @${f.offset} is not aligned to ${unit}`);
    fill(f.offset);
    fields.push({ name: f.name, scalar: type, ...(length === undefined ? {} : { length }), offset: f.offset, bytes, reserved: false, doc: f.doc });
    end = f.offset + bytes;
  }
  if (end > record.bytes) problems.push(`record ${record.name}: fields end at ${end}, beyond its ${record.bytes} bytes`);
  if (record.bytes % align !== 0) problems.push(`record ${record.name}: ${record.bytes} bytes are not a multiple of its alignment ${align}`);
  fill(record.bytes);
  const names = new Set(fields.map((f) => f.name));
  if (names.size !== fields.length) problems.push(`record ${record.name}: a field name appears twice`);
  return { name: record.name, bytes: record.bytes, align, doc: record.doc, fields };
}

function checkAreas(abi: Abi, problems: string[]): void {
  const page = 4096;
  let end = 0;
  let last = "";
  for (const area of abi.memory.areas) {
    if (area.address < end) problems.push(`area ${area.name} begins inside ${last}`);
    if (area.address % page !== 0 || area.bytes % page !== 0) problems.push(`area ${area.name} is not made of whole ${page}-byte pages`);
    end = area.address + area.bytes;
    last = area.name;
  }
  const module = abi.memory.areas.at(-1);
  const base = abi.memory.base_pages * abi.memory.page_bytes;
  if (module?.name !== "module" || module.address !== base) problems.push(`the last area has to be 'module', at base_pages (0x${base.toString(16)})`);
}

function layParts(abi: Abi, records: Record_[], limits: Map<string, number>, list: Layout[], areaName: string, problems: string[]): Part[] {
  const area = abi.memory.areas.find((a) => a.name === areaName);
  if (!area) throw new Error(`nf_abi.json: no area '${areaName}'`);
  let end = area.address;
  return list.map((part) => {
    const record = records.find((r) => r.name === part.record);
    const unit = record?.bytes ?? (part.type ? SCALAR_BYTES[part.type] : 0);
    if (unit === 0) problems.push(`${areaName}: ${part.name} names neither a known record nor a type`);
    const count = part.count === undefined ? 1 : limits.get(part.count);
    if (count === undefined) problems.push(`${areaName}: ${part.name}: no limit '${part.count}'`);
    const bytes = unit * (count ?? 1);
    if (part.address < end) problems.push(`${areaName}: ${part.name} begins inside what ends at 0x${end.toString(16)}`);
    if (part.address % 64 !== 0) problems.push(`${areaName}: ${part.name} does not begin a cache line`);
    end = part.address + bytes;
    if (end > area.address + area.bytes) problems.push(`${areaName}: ${part.name} leaves the area`);
    return { name: part.name, address: part.address, bytes, count: count ?? 1, of: part.record ?? part.type ?? "" };
  });
}

/** Areas that hold one stride per packet must be as long as the limits say. */
function checkStrides(abi: Abi, limit: (name: string) => number, problems: string[]): void {
  const needs: [string, number][] = [
    ["header", limit("burst_packets") * limit("header_stride")],
    ["payload", limit("burst_packets") * limit("payload_stride")],
    ["emit", limit("emits_per_burst_max") * limit("emit_stride")],
    ["config", limit("config_bytes_max")],
    ["staging", limit("state_bytes_max")],
  ];
  for (const [name, bytes] of needs) {
    const area = abi.memory.areas.find((a) => a.name === name);
    if (!area || area.bytes < bytes) problems.push(`area ${name} needs ${bytes} bytes`);
  }
}
