/** What a deployment's input changes, line by line: `- chain[fw].nf: firewall@1.2.0`, `+ chain[fw].nf: firewall@1.3.0`. */
import { safeText } from "@nfactor/host/text";

export type Flat = ReadonlyMap<string, string>;

const VALUE_CHARS_MAX = 120;
export const DIFF_LINES_MAX = 200;

/** Every plain value under its path; entries of a chain, and whatever else has a name in a list, under that name. Longer texts are cut, after comparing. */
export function flatten(value: unknown, path = "", into = new Map<string, string>()): Map<string, string> {
  if (Array.isArray(value)) {
    if (value.length === 0) into.set(path, "[]");
    for (const [i, item] of value.entries()) flatten(item, `${path}[${nameOf(item) ?? i}]`, into);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, item] of Object.entries(value)) if (item !== undefined) flatten(item, path === "" ? key : `${path}.${key}`, into);
  } else if (value !== undefined) into.set(path, typeof value === "string" ? value : JSON.stringify(value));
  return into;
}

function nameOf(item: unknown): string | undefined {
  return typeof item === "object" && item !== null && "name" in item && typeof item.name === "string" ? item.name : undefined;
}

export interface DiffLine {
  readonly sign: "+" | "-";
  readonly path: string;
  readonly value: string;
}

export function diffOf(before: Flat, after: Flat): DiffLine[] {
  const lines: DiffLine[] = [];
  for (const path of new Set([...before.keys(), ...after.keys()])) {
    const [old, now] = [before.get(path), after.get(path)];
    if (old === now) continue;
    if (old !== undefined) lines.push({ sign: "-", path, value: old });
    if (now !== undefined) lines.push({ sign: "+", path, value: now });
  }
  return lines;
}

export function diffText(lines: readonly DiffLine[]): string {
  const shown = lines.slice(0, DIFF_LINES_MAX).map(({ sign, path, value }) => `  ${sign} ${safeText(path, 200)}: ${safeText(value, VALUE_CHARS_MAX)}`);
  return [...shown, ...(lines.length > DIFF_LINES_MAX ? [`  and ${lines.length - DIFF_LINES_MAX} more`] : [])].join("\n");
}
