/** From offsets in a core module to lines of the NF's source, by the build's source map. */
import { readFileSync } from "node:fs";
import { TraceMap, originalPositionFor } from "@jridgewell/trace-mapping";

export interface Place {
  file: string;
  line: number;
  column: number;
}

export class SourcePlaces {
  readonly #map: TraceMap;

  constructor(path: string) {
    this.#map = new TraceMap(readFileSync(path, "utf8"));
  }

  /** The innermost frame in the author's own files; else the innermost one that is known. */
  of(backtrace: readonly number[]): Place | undefined {
    const places = backtrace.map((offset) => this.#at(offset)).filter((place) => place !== undefined);
    return places.find(({ file }) => !isOfTheSdk(file)) ?? places[0];
  }

  #at(offset: number): Place | undefined {
    const { source, line, column } = originalPositionFor(this.#map, { line: 1, column: offset });
    return source === null ? undefined : { file: source, line, column: column + 1 };
  }
}

export function isOfTheSdk(file: string): boolean {
  return file.startsWith("~lib/") || file.includes("@nfactor/sdk") || /(^|\/)sdk\/(assembly|transform)\//.test(file);
}
