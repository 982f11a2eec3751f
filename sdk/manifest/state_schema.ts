/**
 * The state schema: name, type, offset and size of each field of a flow's slot. The compiler writes it, the artifact carries it, tools read a
 * flow's bytes by it, and its digest decides whether two versions of an NF have the same layout.
 *
 * A schema of an uploaded artifact is untrusted: `stateSchema` also checks that fields lie inside the slot, aligned, without overlap.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { LIMITS } from "../abi/gen/abi.ts";

const ELEMENT_BYTES = {
  u8: 1,
  i8: 1,
  bool: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  u64: 8,
  i64: 8,
  bytes: 1,
  "u8[]": 1,
  "u16[]": 2,
  "u32[]": 4,
  "u64[]": 8,
} as const;
export type StateFieldType = keyof typeof ELEMENT_BYTES;
const TYPES = Object.keys(ELEMENT_BYTES) as [StateFieldType, ...StateFieldType[]];

/** Bytes of one value of a scalar type, or of one element of an array type. */
export function elementBytes(type: StateFieldType): number {
  return ELEMENT_BYTES[type];
}
export function isArrayType(type: StateFieldType): boolean {
  return type === "bytes" || type.endsWith("[]");
}

const fieldSchema = z.strictObject({
  name: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/, "a field name is an identifier of at most 63 characters"),
  type: z.enum(TYPES),
  offset: z.int().min(0).max(LIMITS.state_bytes_max),
  size: z.int().min(1).max(LIMITS.state_bytes_max),
  /** Show these bytes as text (UTF-8 up to the first zero byte), not as hex. */
  text: z.boolean().optional(),
});

export const stateSchema = z
  .strictObject({
    version: z.int().min(0).max(0xffffffff),
    bytes: z.int().min(0).max(LIMITS.state_bytes_max),
    digest: z.string().regex(/^[0-9a-f]{64}$/, "the digest is 64 hex digits"),
    fields: z.array(fieldSchema).max(LIMITS.state_bytes_max),
  })
  .superRefine((schema, context) => {
    const complain = (index: number, message: string) => context.addIssue({ code: "custom", path: ["fields", index], message });
    const names = new Set<string>();
    let end = 0;
    [...schema.fields.entries()]
      .sort(([, a], [, b]) => a.offset - b.offset)
      .forEach(([i, f]) => {
        const unit = elementBytes(f.type);
        if (isArrayType(f.type) ? f.size % unit !== 0 : f.size !== unit) complain(i, `${f.size} bytes are no size of ${f.type}`);
        if (f.offset % unit !== 0) complain(i, `offset ${f.offset} is not aligned to ${unit}`);
        if (f.offset < end) complain(i, `${f.name} overlaps the field before it`);
        if (f.offset + f.size > schema.bytes) complain(i, `${f.name} ends beyond the slot's ${schema.bytes} bytes`);
        if (f.text && f.type !== "bytes" && f.type !== "u8[]") complain(i, "only byte strings can be text");
        if (names.has(f.name)) complain(i, `another field is called ${f.name}`);
        names.add(f.name);
        end = f.offset + f.size;
      });
    const digest = stateDigest(schema);
    if (schema.digest !== digest) context.addIssue({ code: "custom", path: ["digest"], message: `the layout's digest is ${digest}` });
  });

export type StateField = z.output<typeof fieldSchema>;
export interface StateSchema {
  version: number;
  bytes: number;
  digest: string;
  fields: StateField[];
}

/** SHA-256 over version, size, and each field's name, type, offset and size: equal digests mean that a slot can be used as it is. */
export function stateDigest(schema: Omit<StateSchema, "digest">): string {
  const layout = [schema.version, schema.bytes, schema.fields.map((f) => [f.name, f.type, f.offset, f.size])];
  return createHash("sha256").update(JSON.stringify(layout)).digest("hex");
}
