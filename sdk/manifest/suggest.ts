/** "Did you mean": the nearest of the allowed words, and the fields that a zod schema allows at a path. */
import type { z } from "zod";
import type { Path } from "./yaml_file.ts";

/** The allowed word nearest to what was written, when it is near enough to be a slip of the keyboard. */
export function nearest(given: string, allowed: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(given.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const word of allowed) {
    const distance = editDistance(fold(given), fold(word), limit);
    if (distance < bestDistance) [best, bestDistance] = [word, distance];
  }
  return best;
}

/** camelCase, kebab-case and snake_case of the same words count as equal. */
const fold = (word: string): string => word.toLowerCase().replaceAll(/[_-]/g, "");

/** Optimal string alignment distance (a swap of neighbours counts once); above `limit` any larger number. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  const rows = Array.from({ length: a.length + 1 }, (_, i) => [i, ...Array<number>(b.length).fill(0)]);
  for (let j = 0; j <= b.length; j++) rows[0]![j] = j;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min(rows[i - 1]![j]! + 1, rows[i]![j - 1]! + 1, rows[i - 1]![j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, rows[i - 2]![j - 2]! + 1);
      rows[i]![j] = cost;
    }
  }
  return rows[a.length]![b.length]!;
}

interface Def {
  type: string;
  innerType?: z.core.$ZodType;
  in?: z.core.$ZodType;
  element?: z.core.$ZodType;
  valueType?: z.core.$ZodType;
  options?: readonly z.core.$ZodType[];
  shape?: Record<string, z.core.$ZodType>;
}

/** Names of the fields that an object at `path` may have; empty when the schema has no object there. */
export function fieldsAt(schema: z.core.$ZodType, path: Path): string[] {
  const def = schema._zod.def as unknown as Def;
  const inner = def.innerType ?? def.in;
  if (inner) return fieldsAt(inner, path);
  if (def.options) return [...new Set(def.options.flatMap((option) => fieldsAt(option, path)))];
  const [head, ...rest] = path;
  if (head === undefined) return def.type === "object" ? Object.keys(def.shape ?? {}) : [];
  const next = def.element ?? def.valueType ?? def.shape?.[String(head)];
  return next ? fieldsAt(next, rest) : [];
}
