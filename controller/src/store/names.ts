/**
 * Keys are names of segments with slashes between them: `chains/blue/web`. Segments are ASCII, so that the order of keys is that of their bytes, two keys that
 * look the same are the same, and none can do harm in a log, a terminal or a path.
 */
import { NfError } from "@nfactor/sdk/errors";

export const KEY_LENGTH_MAX = 512;

const SEGMENT = /^[A-Za-z0-9._:@+=,~-]+$/;
const ALLOWED = `1 to ${KEY_LENGTH_MAX} characters: segments of letters, digits and . _ : @ + = , ~ - with one slash between them, none of them '.' or '..'`;

/** A name as it may be shown: escaped, and cut when it is long. */
export function shown(name: string): string {
  const cut = name.length > 80 ? `${name.slice(0, 80)}…` : name;
  return `'${cut.replace(/[^\x20-\x7e…]/gu, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`)}'`;
}

function whyNotSegment(segment: string): string | undefined {
  if (segment === "") return "has an empty segment";
  if (segment === "." || segment === "..") return `has the segment '${segment}'`;
  if (SEGMENT.test(segment)) return undefined;
  const bad = [...segment].find((c) => !SEGMENT.test(c))!;
  return `has the character ${shown(bad)}`;
}

function refuse(what: string, name: unknown, why: string, allowed = ALLOWED): never {
  const given = typeof name === "string" ? shown(name) : `a ${typeof name}`;
  throw new NfError("store.name", `the ${what} ${given} ${why}`, { given, allowed, fix: "Choose another name." });
}

function requireSegments(what: string, name: string, segments: readonly string[]): void {
  if (name.length > KEY_LENGTH_MAX) refuse(what, name, `has ${name.length} characters`);
  for (const segment of segments) {
    const why = whyNotSegment(segment);
    if (why) refuse(what, name, why);
  }
}

/** Throws NfError (store.name). */
export function requireKey(key: string): void {
  if (typeof key !== "string") refuse("key", key, "is no text");
  requireSegments("key", key, key.split("/"));
}

/** "" or whole segments with a slash at the end: a prefix never ends within a segment, or `blue` would mean `blueish` too. Throws NfError (store.name). */
export function requirePrefix(prefix: string): void {
  if (typeof prefix !== "string") refuse("prefix", prefix, "is no text");
  if (prefix === "") return;
  if (!prefix.endsWith("/")) refuse("prefix", prefix, "does not end with a slash", "'', or segments each followed by a slash");
  requireSegments("prefix", prefix, prefix.slice(0, -1).split("/"));
}

/** One name of `segments` segments. `what` is what it names, in messages. Throws NfError (store.name). */
export function requireName(what: string, name: string, segments: number): void {
  if (typeof name !== "string") refuse(`name of a ${what},`, name, "is no text");
  const parts = name.split("/");
  requireSegments(`name of a ${what},`, name, parts);
  if (parts.length !== segments) refuse(`name of a ${what},`, name, `has ${parts.length} segments`, `${segments} of them`);
}

/** Keys from `lower` on and before `upper`. */
export interface KeyRange {
  readonly lower: string;
  readonly upper: string;
}

/** No key is behind this. */
const END = "\x7f";

/** '0' is what follows '/' in ASCII. */
export const rangeOfPrefix = (prefix: string): KeyRange => ({ lower: prefix, upper: prefix === "" ? END : `${prefix.slice(0, -1)}0` });
export const rangeOfKey = (key: string): KeyRange => ({ lower: key, upper: keyAfter(key) });
/** The first text that is behind the key. */
export const keyAfter = (key: string): string => `${key}\0`;
