/**
 * From an offset in a core module to a place in the author's files.
 *
 * The map's columns are offsets into the module. Not every instruction has an entry: the nearest one at or before counts, within the same
 * function. Code of the SDK that was inlined into the author's function maps to the SDK: then the way goes back to the last entry before it
 * that is the author's, which is the expression that the SDK's code was called from; if the function has none, to the next frame outwards.
 */
import { TraceMap, eachMapping, sourceContentFor } from "@jridgewell/trace-mapping";
import { MalformedError, WasmReader, binaryKind, sections } from "../pack/wasm_reader.ts";

export interface SourcePlace {
  /** Relative to the NF's folder, or `~lib/…` for the SDK and the language's library. */
  file: string;
  /** From 1. */
  line: number;
  /** From 1. */
  column: number;
  /** The source line, when the map has the file's text. */
  text: string | undefined;
}

interface Entry {
  offset: number;
  file: string;
  line: number;
  column: number;
}

export class SourceMap {
  readonly #map: TraceMap;
  /** In order of offset. */
  readonly #entries: Entry[] = [];
  /** First offset of each function body, in order. */
  readonly #functions: readonly number[];

  /** Throws SyntaxError when the text is no source map. Without `core`, a way back may leave its function. */
  constructor(json: string, core?: Uint8Array) {
    this.#map = new TraceMap(json);
    eachMapping(this.#map, (m) => {
      if (m.source === null || m.originalLine === null) return;
      this.#entries.push({ offset: m.generatedColumn, file: m.source, line: m.originalLine, column: m.originalColumn + 1 });
    });
    this.#functions = core === undefined ? [] : functionStarts(core);
  }

  /** The place of one offset, wherever it is. */
  at(offset: number): SourcePlace | undefined {
    const entry = this.#entries[this.#indexAt(offset)];
    return entry && entry.offset >= this.#functionStart(offset) ? this.#place(entry) : undefined;
  }

  /** The place in the author's files for a backtrace, innermost frame first; the innermost place at all if there is none. */
  author(offsets: readonly number[]): SourcePlace | undefined {
    for (const offset of offsets) {
      const start = this.#functionStart(offset);
      for (let i = this.#indexAt(offset); i >= 0 && this.#entries[i]!.offset >= start; i--) {
        if (isAuthors(this.#entries[i]!.file)) return this.#place(this.#entries[i]!);
      }
    }
    return offsets.length === 0 ? undefined : this.at(offsets[0]!);
  }

  /** A line of one of the sources, from 1, when the map has the file's text. */
  line(file: string, line: number): string | undefined {
    return sourceContentFor(this.#map, file)?.split("\n")[line - 1];
  }

  /** Index of the last entry at or before an offset; -1 if there is none. */
  #indexAt(offset: number): number {
    return lastAtOrBefore(this.#entries.length, (i) => this.#entries[i]!.offset, offset);
  }

  #functionStart(offset: number): number {
    return this.#functions[lastAtOrBefore(this.#functions.length, (i) => this.#functions[i]!, offset)] ?? 0;
  }

  #place({ file, line, column }: Entry): SourcePlace {
    return { file, line, column, text: this.line(file, line) };
  }
}

/** Files that the author wrote, by their name in the map. */
export function isAuthors(file: string): boolean {
  return !file.startsWith("~lib/") && !file.startsWith("nfactor-generated/");
}

function lastAtOrBefore(count: number, at: (i: number) => number, value: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (at(middle) <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

const CODE = 10;

function functionStarts(core: Uint8Array): number[] {
  const starts: number[] = [];
  if (binaryKind(core) !== "core") return starts;
  try {
    for (const { id, start, end } of sections(core)) {
      if (id !== CODE) continue;
      const reader = new WasmReader(core, start, end);
      for (let n = reader.count("functions"); n > 0; n--) {
        const size = reader.u32("size of a body");
        starts.push(reader.position);
        reader.take(size, "body");
      }
    }
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
  }
  return starts;
}

/** The compiler's map made ready to lie beside the module: without a root, so that sources have their own names. */
export function tidySourceMap(json: string): string {
  const map = JSON.parse(json) as Record<string, unknown>;
  delete map["sourceRoot"];
  return JSON.stringify(map);
}
