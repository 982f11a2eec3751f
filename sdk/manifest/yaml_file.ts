/**
 * A YAML file checked against a zod schema, with every complaint at its line and column.
 *
 * Used for nf.yaml and for a host's configuration. `parseYamlFile` throws NfError for the first problem, in order of position; `Located` keeps
 * the positions, so that later checks (a rule that an NF refuses, an interface that is missing) can point into the file too.
 */
import { LineCounter, type Document, type YAMLError, isMap, isPair, isScalar, parseDocument } from "yaml";
import type { z } from "zod";
import { type ErrorCode, NfError, type Where } from "../errors.ts";
import { fieldsAt, nearest } from "./suggest.ts";

export type Path = readonly PropertyKey[];

export interface Located<T> {
  value: T;
  /** Where the node at `path` is (or the nearest one above it that exists). With `key`, where its key is. */
  where(path: Path, at?: "value" | "key"): Where;
}

export interface YamlCodes {
  /** Not well-formed YAML. */
  yaml: ErrorCode;
  /** Well-formed, but not what the schema allows. */
  field: ErrorCode;
}

/** Parses and validates; throws NfError with `codes` and a position. `file` is only named in messages. */
export function parseYamlFile<S extends z.ZodType>(text: string, file: string, schema: S, codes: YamlCodes): Located<z.output<S>> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, strict: true, uniqueKeys: true, prettyErrors: false });
  const broken = document.errors[0];
  if (broken) {
    const { line, col } = lines.linePos(broken.pos[0]);
    const given = (text.split("\n")[line - 1] ?? "").trim().replaceAll(/\p{C}/gu, " ");
    throw new NfError(codes.yaml, `${given === "" ? "" : `'${shorten(given)}': `}${syntaxComplaint(broken)}`, {
      where: { file, line, column: col },
      given,
      fix: "A field is written 'name: value' on a line of its own; what belongs to it stands below, two blanks further in, or in { } or [ ].",
    });
  }
  let plain: unknown;
  try {
    plain = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new NfError(codes.yaml, error instanceof Error ? error.message : String(error), { where: { file, line: 1, column: 1 } });
  }
  const where = (path: Path, at: "value" | "key" = "value"): Where => locate(document, lines, file, path, at);
  const parsed = schema.safeParse(plain, { reportInput: true });
  if (parsed.success) return { value: parsed.data, where };
  const located = parsed.error.issues.map((issue) => describeIssue(issue, where, schema));
  located.sort((a, b) => (a.where.line ?? 0) - (b.where.line ?? 0) || (a.where.column ?? 0) - (b.where.column ?? 0));
  const first = located[0]!;
  const rest = located.length > 1 ? ` (and ${located.length - 1} more problem${located.length > 2 ? "s" : ""} in this file)` : "";
  throw new NfError(codes.field, first.message + rest, { where: first.where, allowed: first.allowed, given: first.given, fix: first.fix });
}

/** The parser's complaints that only somebody who knows its grammar would understand, in other words. */
function syntaxComplaint({ code, message }: YAMLError): string {
  switch (code) {
    case "MULTILINE_IMPLICIT_KEY":
      return "there is no ':' between a name and its value";
    case "BLOCK_AS_IMPLICIT_KEY":
      return "a ':' too many, or the line below is too far in";
    case "UNEXPECTED_TOKEN":
      return "this belongs to nothing before it";
    default:
      if (/^Flow (map|sequence) in block collection/.test(message)) return "a { or [ before this is not closed, or goes on without being further in";
      return lowerFirst(message.replace(/\.?\s*(\n[\s\S]*)?$/, ""));
  }
}

interface Complaint {
  message: string;
  where: Where;
  given?: string;
  allowed?: string;
  fix?: string;
}

/** One zod issue in the project's words: what was given, what is allowed. `schema` is what the file was checked against: it knows the fields. */
export function describeIssue(issue: z.core.$ZodIssue, where: (path: Path, at?: "value" | "key") => Where, schema?: z.core.$ZodType): Complaint {
  const path = issue.path;
  const name = path.length === 0 ? "the file" : `'${formatPath(path)}'`;
  const missing = issue.input === undefined && issue.code !== "unrecognized_keys";
  const given = missing ? undefined : show(issue.input);
  if (missing) return { message: `${name} is missing`, where: where(path.slice(0, -1)), ...allowedOf(issue) };
  switch (issue.code) {
    case "unrecognized_keys": {
      const key = issue.keys[0]!;
      const at = [...path, key];
      const allowed = schema ? fieldsAt(schema, path) : [];
      const meant = nearest(key, allowed);
      return {
        message: `unknown field '${formatPath(at)}'`,
        where: where(at, "key"),
        given: key,
        ...(allowed.length > 0 ? { allowed: allowed.join(", ") } : {}),
        ...(meant === undefined ? {} : { fix: `Did you mean '${meant}'?` }),
      };
    }
    case "invalid_key":
      return { message: `${name}: ${issue.issues[0]?.message ?? "a key that is not allowed"}`, where: where(path, "key") };
    default: {
      // What zod says by itself, `allowed` says in our words.
      const said = /^(Invalid (input|option)|Too (small|big))\b/.test(issue.message) ? "" : `: ${lowerFirst(issue.message)}`;
      const meant = issue.code === "invalid_value" && typeof issue.input === "string" ? nearest(issue.input, issue.values.map(String)) : undefined;
      return {
        message: `${name} is ${issue.input === null ? "empty" : given}${said}`,
        where: where(path),
        ...(given ? { given } : {}),
        ...allowedOf(issue),
        ...(meant === undefined ? {} : { fix: `Did you mean '${meant}'?` }),
      };
    }
  }
}

const TYPES: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object, with its fields as 'name: value'",
  record: "an object, with its fields as 'name: value'",
};

function allowedOf(issue: z.core.$ZodIssue): { allowed?: string } {
  switch (issue.code) {
    case "invalid_value":
      return { allowed: issue.values.map((v) => String(v)).join(", ") };
    case "invalid_type":
      return { allowed: TYPES[issue.expected] ?? `a value of type ${issue.expected}` };
    case "too_small":
      return { allowed: `${issue.minimum}${itemsOf(issue.origin)} or more` };
    case "too_big":
      return { allowed: `at most ${issue.maximum}${itemsOf(issue.origin)}` };
    default:
      return {};
  }
}

const itemsOf = (origin: string): string => (origin === "array" || origin === "set" ? " in the list" : origin === "string" ? " characters" : "");

function locate(document: Document, lines: LineCounter, file: string, path: Path, at: "value" | "key"): Where {
  for (let depth = path.length; depth >= 0; depth--) {
    const range = rangeAt(document, path.slice(0, depth), depth === path.length ? at : "value");
    if (range === undefined) continue;
    const { line, col } = lines.linePos(range);
    return { file, line, column: col };
  }
  return { file, line: 1, column: 1 };
}

function rangeAt(document: Document, path: Path, at: "value" | "key"): number | undefined {
  if (at === "key" && path.length > 0) {
    const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
    const key = String(path.at(-1));
    const pair = isMap(parent) ? parent.items.find((item) => isPair(item) && isScalar(item.key) && String(item.key.value) === key) : undefined;
    if (pair && isScalar(pair.key)) return pair.key.range?.[0];
    return undefined;
  }
  // A key like 128 is a number in YAML and a string in the plain value: walk by text.
  let node: unknown = document.contents;
  for (const part of path) {
    if (isMap(node)) node = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(part))?.value;
    else if (typeof node === "object" && node !== null && "items" in node) node = (node as { items: unknown[] }).items[Number(part)];
    else return undefined;
  }
  if (typeof node !== "object" || node === null || !("range" in node)) return undefined;
  return (node as { range?: [number, number, number] }).range?.[0];
}

/** `chain[0].config.ports` */
export function formatPath(path: Path): string {
  return path.map((part, i) => (typeof part === "number" ? `[${part}]` : i === 0 ? String(part) : `.${String(part)}`)).join("");
}

function show(value: unknown): string {
  return shorten(JSON.stringify(value) ?? String(value));
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function lowerFirst(text: string): string {
  return text === "" ? text : text[0]!.toLowerCase() + text.slice(1);
}
