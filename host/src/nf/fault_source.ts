/**
 * From a fault's backtrace to a line of the NF's source. The source map of an uploaded NF is untrusted: what it names is shown, never opened; one
 * that does not parse counts as none.
 */
import { SourceMap } from "@nfactor/sdk/source_map";
import type { FaultSource } from "../result/faults.ts";

const MAP_CHARS_MAX = 8 << 20;

/** `shown` is how messages name the NF's folder. The map is only parsed when there is a fault. */
export function faultSource(sourceMap: string | undefined, core: Uint8Array, shown: string): FaultSource {
  let parsed: { map: SourceMap | undefined } | undefined;
  const map = (): SourceMap | undefined => (parsed ??= { map: parse(sourceMap, core) }).map;
  return {
    folder: shown,
    author: (backtrace) => map()?.author(backtrace),
    lineOf: (file, line) => map()?.line(file, line),
  };
}

function parse(text: string | undefined, core: Uint8Array): SourceMap | undefined {
  if (text === undefined || text.length > MAP_CHARS_MAX) return undefined;
  try {
    return new SourceMap(text, core);
  } catch {
    return undefined;
  }
}
