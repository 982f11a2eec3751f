/**
 * One NF as it was found: built from its folder, or read from an artifact; not admitted yet. The component's bytes are what counts from here on:
 * what a folder says about itself is only used for messages.
 */
import { existsSync, readFileSync } from "node:fs";
import { NfError, formatWhere } from "@nfactor/sdk/errors";
import { LIMITS } from "@nfactor/sdk/abi";
import { type NfPlace, shownPath } from "./resolve.ts";

export interface LoadedNf {
  component: Uint8Array;
  /** JSON of the source map, when there is one. */
  sourceMap: string | undefined;
  /** How messages name the NF: its folder, or its file. */
  shown: string;
  /** The folder of its sources, for source lines; undefined for an artifact. */
  folder: string | undefined;
  warnings: readonly string[];
}

/** Builds or reads; throws NfError (build.*, manifest.*, nf.artifact). */
export async function loadNf(place: NfPlace): Promise<LoadedNf> {
  const shown = shownPath(place.path);
  if (place.kind === "artifact") {
    return { component: readArtifact(place.path, shown), sourceMap: mapBeside(place.path), shown, folder: undefined, warnings: [] };
  }
  // The compiler takes half a second to load, which an artifact does not need.
  const { buildNf } = await import("@nfactor/sdk/build");
  const built = await buildNf(shown);
  const warnings = built.warnings.map(({ message, where }) => `${formatWhere({ ...where, file: `${shown}/${where.file}` })}: ${message}`);
  return { component: built.component, sourceMap: readFileSync(built.sourceMap, "utf8"), shown, folder: place.path, warnings };
}

function readArtifact(path: string, shown: string): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new NfError("nf.artifact", `${shown} cannot be read`, { cause, where: { file: shown } });
  }
  if (bytes.length <= LIMITS.component_bytes_max) return bytes;
  throw new NfError("nf.artifact", `${shown} has ${bytes.length} bytes, which is no artifact of an NF`, {
    allowed: `at most ${LIMITS.component_bytes_max} bytes`,
    fix: "Give the .wasm file that 'nfactor build' wrote.",
  });
}

/** `<name>.wasm.map` beside the artifact. */
function mapBeside(path: string): string | undefined {
  const map = `${path}.map`;
  return existsSync(map) ? readFileSync(map, "utf8") : undefined;
}
