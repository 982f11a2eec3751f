/** Two state layouts compared field by field: what a swap that is refused for its layout shows. */
import type { StateField, StateSchema } from "@nfactor/sdk/manifest";
import { table } from "../result/text.ts";

export interface FieldChange {
  field: string;
  running: string;
  next: string;
  change: string;
}

/** All fields of both, in order of the running layout, then those that are new; unchanged ones have change "". */
export function layoutDiff(running: StateSchema, next: StateSchema): FieldChange[] {
  const rows: FieldChange[] = [];
  if (running.version !== next.version)
    rows.push({ field: "(layout version)", running: String(running.version), next: String(next.version), change: "differs" });
  if (running.bytes !== next.bytes)
    rows.push({ field: "(slot)", running: `${running.bytes} bytes`, next: `${next.bytes} bytes`, change: next.bytes > running.bytes ? "larger" : "smaller" });
  const byName = new Map(next.fields.map((field) => [field.name, field]));
  for (const field of inOrder(running)) {
    const other = byName.get(field.name);
    rows.push({ field: field.name, running: place(field), next: other ? place(other) : "-", change: other ? changeOf(field, other) : "removed" });
  }
  const known = new Set(running.fields.map(({ name }) => name));
  for (const field of inOrder(next)) if (!known.has(field.name)) rows.push({ field: field.name, running: "-", next: place(field), change: "added" });
  return rows;
}

export function layoutDiffText(running: StateSchema, next: StateSchema): string {
  const rows = layoutDiff(running, next).map(({ field, running: a, next: b, change }) => [field, a, b, change]);
  return table([["field", "running", "new", ""], ...rows]);
}

const inOrder = ({ fields }: StateSchema): StateField[] => [...fields].sort((a, b) => a.offset - b.offset);

function place({ type, offset, size }: StateField): string {
  return `${type}${type === "bytes" || type.endsWith("[]") ? ` of ${size} bytes` : ""} @${offset}`;
}

function changeOf(a: StateField, b: StateField): string {
  const changes = [
    ...(a.type === b.type ? [] : ["other type"]),
    ...(a.size === b.size ? [] : [b.size > a.size ? "wider" : "narrower"]),
    ...(a.offset === b.offset ? [] : ["moved"]),
  ];
  return changes.join(", ");
}
