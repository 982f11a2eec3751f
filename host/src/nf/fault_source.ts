/**
 * From an offset in a core module to a line of an NF's source, by the compiler's source map: its columns are the module's offsets. The map of an
 * uploaded NF is untrusted: what it names is shown, never opened; one that does not parse counts as none.
 */
import { TraceMap, originalPositionFor, sourceContentFor } from "@jridgewell/trace-mapping";
import type { FaultSource, SourcePlace } from "../result/faults.ts";
import { safeText } from "../result/text.ts";

const MAP_CHARS_MAX = 8 << 20;

/** `shown` is how messages name the NF's folder. */
export function faultSource(sourceMap: string | undefined, shown: string): FaultSource {
  const map = sourceMap === undefined || sourceMap.length > MAP_CHARS_MAX ? undefined : parse(sourceMap);
  const lineOf = (file: string, line: number): string | undefined => {
    const text = map && sourceContentFor(map, file);
    return text?.split("\n")[line - 1];
  };
  return {
    folder: shown,
    lineOf,
    resolve: (offset): SourcePlace | undefined => {
      // The nearest mapped place at or before the offset.
      const found = map && originalPositionFor(map, { line: 1, column: offset });
      if (!found || found.source === null) return undefined;
      return { file: safeText(found.source, 255), line: found.line, column: found.column + 1, text: lineOf(found.source, found.line) };
    },
  };
}

function parse(text: string): TraceMap | undefined {
  try {
    return new TraceMap(text);
  } catch {
    return undefined;
  }
}
