// The ABI's one source, read and checked: areas apart, fields aligned and without implicit holes, names unique.
// Reserved bytes become fields of their own (`reserved_<offset>`), so that no language pads by itself.
import { readFileSync } from "node:fs";

export interface Field {
  name: string;
  type: string;
  offset: number;
  doc: string;
}
export interface Record_ {
  name: string;
  bytes: number;
  doc: string;
  fields: Field[];
}
export interface EnumValue {
  name: string;
  value: number;
  doc: string;
}
export interface Enum {
  name: string;
  type: string;
  bits?: boolean;
  values: EnumValue[];
}
export interface Area {
  name: string;
  address: number;
  bytes: number;
  access: string;
  doc: string;
}
export interface Export {
  name: string;
  params: { name: string; type: string }[];
  result: string | null;
  doc: string;
}
export interface Abi {
  version: number;
  wit: { package: string; world: string };
  limits: { name: string; value: number; doc: string }[];
  pageBytes: number;
  basePages: number;
  areas: Area[];
  callLayout: { name: string; address: number }[];
  resultLayout: { name: string; address: number }[];
  records: Record_[];
  enums: Enum[];
  required: Export[];
  optional: Export[];
  memoryExport: string;
}

const SCALARS: Record<string, number> = { u8: 1, u16: 2, u32: 4, u64: 8 };

/** Element type, element bytes and count of a field type such as "u16" or "u8[16]". */
export function typeOf(type: string): { element: string; bytes: number; count: number } {
  const match = /^(u8|u16|u32|u64)(?:\[(\d+)\])?$/.exec(type);
  if (!match) throw new Error(`nf_abi.json: type '${type}': allowed are u8, u16, u32, u64 and arrays such as u8[16].`);
  return { element: match[1]!, bytes: SCALARS[match[1]!]!, count: match[2] ? Number(match[2]) : 0 };
}

export const sizeOf = (type: string): number => {
  const { bytes, count } = typeOf(type);
  return bytes * Math.max(count, 1);
};

function withReserved(record: Record_): Record_ {
  const fields: Field[] = [];
  let at = 0;
  const fill = (to: number): void => {
    if (to > at) fields.push({ name: `reserved_${String(at)}`, type: to - at === 1 ? "u8" : `u8[${String(to - at)}]`, offset: at, doc: "Zero." });
  };
  for (const field of record.fields) {
    const { bytes } = typeOf(field.type);
    if (field.offset < at) throw new Error(`nf_abi.json: ${record.name}.${field.name} at ${String(field.offset)} overlaps the field before it.`);
    if (field.offset % bytes !== 0) throw new Error(`nf_abi.json: ${record.name}.${field.name} at ${String(field.offset)} is not aligned to ${String(bytes)}.`);
    fill(field.offset);
    fields.push(field);
    at = field.offset + sizeOf(field.type);
  }
  if (at > record.bytes) throw new Error(`nf_abi.json: ${record.name} needs ${String(at)} bytes and has ${String(record.bytes)}.`);
  fill(record.bytes);
  return { ...record, fields };
}

function checkAreas(areas: Area[], pageBytes: number): void {
  const sorted = areas.filter((a) => a.bytes > 0).sort((a, b) => a.address - b.address);
  for (const [i, area] of sorted.entries()) {
    const next = sorted[i + 1];
    if (area.address % 4096 !== 0) throw new Error(`nf_abi.json: area ${area.name} is not aligned to a page of 4,096 bytes.`);
    if (next && area.address + area.bytes > next.address) throw new Error(`nf_abi.json: area ${area.name} overlaps ${next.name}.`);
  }
  if (sorted[0]?.bytes !== pageBytes) throw new Error("nf_abi.json: the first area must keep the null page free.");
}

function unique(what: string, names: string[]): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new Error(`nf_abi.json: ${what} '${twice}' is there twice.`);
}

interface Source {
  abi_version: number;
  wit: { package: string; world: string };
  limits: Abi["limits"];
  memory: {
    page_bytes: number;
    base_pages: number;
    areas: (Omit<Area, "address"> & { address: string })[];
    call_layout: { name: string; address: string }[];
    result_layout: { name: string; address: string }[];
  };
  records: Record_[];
  enums: Enum[];
  exports: { required: Export[]; optional: Export[]; memory: string };
}

export function readAbi(path: URL): Abi {
  const source = JSON.parse(readFileSync(path, "utf8")) as Source;
  const located = <T extends { address: string }>(list: T[]): (Omit<T, "address"> & { address: number })[] =>
    list.map((entry) => ({ ...entry, address: Number.parseInt(entry.address, 16) }));
  const areas = located(source.memory.areas) as Area[];
  checkAreas(areas, source.memory.page_bytes);
  for (const list of [source.limits, areas, source.records, source.enums]) unique("name", (list as { name: string }[]).map((entry) => entry.name));
  return {
    version: source.abi_version,
    wit: source.wit,
    limits: source.limits,
    pageBytes: source.memory.page_bytes,
    basePages: source.memory.base_pages,
    areas,
    callLayout: located(source.memory.call_layout),
    resultLayout: located(source.memory.result_layout),
    records: source.records.map(withReserved),
    enums: source.enums,
    required: source.exports.required,
    optional: source.exports.optional,
    memoryExport: source.exports.memory,
  };
}

export const upper = (name: string): string => name.toUpperCase();
export const pascal = (name: string): string =>
  name
    .toLowerCase()
    .split("_")
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join("");
export const hex = (value: number): string => `0x${value.toString(16).padStart(8, "0")}`;
