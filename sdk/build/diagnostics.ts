/** The compiler's diagnostics → NfError and warnings with file, line, column and the source line. */
import { join } from "node:path";
import { GENERATED_PREFIX } from "../transform/ast.ts";
import { BASE_PAGES } from "../abi/gen/abi.ts";
import { MANIFEST_FILE } from "../manifest/manifest.ts";
import { NfError, type Where, formatWhere } from "../errors.ts";

/** As the compiler reports it. */
export interface Diagnostic {
  message: string;
  code: number;
  /** 0 pedantic, 1 info, 2 warning, 3 error. */
  category: number;
  range: { start: number; end: number; source: { normalizedPath: string } | null } | null;
}

/** A warning as `buildNf` returns it. */
export interface BuildWarning {
  message: string;
  where: Where;
  /** The line of the source, with a mark under the place. */
  excerpt: string;
}

const ERROR = 3;
const WARNING = 2;

type ReadFile = (name: string) => string | null;

/**
 * Complaints about generated code are about what it was generated from: they are moved to the NF's class. `nf` is undefined when there is none
 * yet, and then nothing was generated.
 */
export function atAuthors(diagnostics: readonly Diagnostic[], nf: Diagnostic["range"] | undefined): Diagnostic[] {
  return diagnostics.map((d) => {
    if (!d.range?.source?.normalizedPath.startsWith(GENERATED_PREFIX) || !nf) return d;
    const advice = d.message.startsWith("Cannot find name") ? "See that it is imported or declared." : "See that the types of its methods fit NetworkFunction<State, Config>.";
    return { ...d, range: nf, message: `the exports of this class cannot be made: ${d.message} ${advice}` };
  });
}

/** The message of the compiler, which for the transform's own complaints is only their text. */
function messageOf(diagnostic: Diagnostic): string {
  return diagnostic.message.replace(/^User-defined: /, "").replace(/\.$/, "");
}

/** Where a diagnostic is: line and column count from 1. */
export function whereOf(diagnostic: Diagnostic, readFile: ReadFile): { where: Where; excerpt: string } | undefined {
  const path = diagnostic.range?.source?.normalizedPath;
  if (diagnostic.range === null || path === undefined) return undefined;
  const text = readFile(sourcePath(path));
  if (text === null) return { where: { file: path }, excerpt: "" };
  const before = text.slice(0, diagnostic.range.start);
  const line = before.split("\n").length;
  const column = before.length - (before.lastIndexOf("\n") + 1) + 1;
  return { where: { file: path, line, column }, excerpt: excerptOf(text, line, column, diagnostic.range.end - diagnostic.range.start) };
}

/** Library sources are read as the compiler found them. */
function sourcePath(path: string): string {
  return path.startsWith("~lib/@nfactor/sdk/") ? path.replace("~lib/", "node_modules/") : path;
}

/** One line of source with a mark under `length` characters from `column` on. */
export function excerptOf(text: string, line: number, column: number, length: number): string {
  const content = text.split("\n")[line - 1] ?? "";
  const number = String(line).padStart(6);
  const mark = "^".repeat(Math.max(1, Math.min(length, content.length - column + 1)));
  return `${number} | ${content}\n${" ".repeat(number.length)} | ${" ".repeat(column - 1)}${mark}`;
}

/** Complaints that are shown; those behind them mostly follow from the first. */
const SHOWN_MAX = 3;

/** The error for a failed compilation: the first complaints, each at its place. `shown` is how messages name the NF's folder. */
export function failedBuild(diagnostics: readonly Diagnostic[], readFile: ReadFile, shown: string, error: Error, output: string): NfError {
  const errors = diagnostics.filter((d) => d.category === ERROR);
  const first = errors[0];
  if (first === undefined) {
    return new NfError("build.compile", `the compiler failed: ${error.message}`, { cause: new Error(output), fix: "Please report this, with the NF's source." });
  }
  const pages = /^Module requires at least '(\d+)' pages of/.exec(first.message);
  if (pages) {
    const needed = Number(pages[1]) - BASE_PAGES;
    return new NfError("build.compile", `the NF's static data takes ${needed} pages of 64 KiB, which is more than heap_pages`, {
      where: { file: join(shown, MANIFEST_FILE) },
      fix: `Write 'heap_pages: ${needed + 1}', or more for what configure allocates.`,
    });
  }
  const placeOf = (d: Diagnostic): ReturnType<typeof whereOf> => {
    const place = whereOf(d, readFile);
    return place && { ...place, where: { ...place.where, file: shownFile(shown, place.where.file) } };
  };
  const place = placeOf(first);
  const excerpt = (at: typeof place): string => (at?.excerpt ? `\n${at.excerpt}` : "");
  const more = errors.slice(1, SHOWN_MAX).map((d) => {
    const at = placeOf(d);
    return `\n${at ? `${formatWhere(at.where)}: ` : ""}${messageOf(d)}.${excerpt(at)}`;
  });
  if (errors.length > SHOWN_MAX) more.push(`\n${errors.length - SHOWN_MAX} more, which may follow from these.`);
  return new NfError("build.compile", `${messageOf(first)}${excerpt(place)}${more.join("")}`, { where: place?.where, cause: error });
}

/** A file of the NF as the reader finds it; one of the library stays under its name. */
export function shownFile(shown: string, file: string): string {
  return file.startsWith("~lib/") ? file : join(shown, file);
}

export function warningsOf(diagnostics: readonly Diagnostic[], readFile: ReadFile): BuildWarning[] {
  return diagnostics
    .filter((d) => d.category === WARNING)
    .map((d) => {
      const at = whereOf(d, readFile);
      return { message: messageOf(d), where: at?.where ?? { file: "" }, excerpt: at?.excerpt ?? "" };
    });
}
