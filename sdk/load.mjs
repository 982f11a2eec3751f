// Loads a program of NFActor: as scripts/lib/compile.mjs has compiled it, or, where that is missing or older than its sources, its TypeScript as it is. Both
// are the same program; the first starts in less than half the time. Nothing has to be done after a source was changed.
//
// A source is the same when it has the size and the time of change that it had when it was read. So a copied tree is TypeScript until it is compiled again.
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
export const COMPILED = process.env.NFACTOR_COMPILED ?? join(ROOT, "build/js");
export const LIST = "list.json";

/** Asked once: the parts of a program are all from the one, or all from the other. */
let list;

/** The module of a source file that is one of ENTRIES in compile.mjs, e.g. `host/src/cli/main.ts`. */
export async function load(source) {
  list ??= currentList(COMPILED) ?? {};
  const file = list.entries?.[source];
  if (file === undefined) {
    await import("./register.mjs");
    return import(new URL(`../${source}`, import.meta.url).href);
  }
  // Only errors that nobody expects need the maps; they are read then.
  process.setSourceMapsEnabled(true);
  return import(pathToFileURL(join(COMPILED, file)).href);
}

/** What was compiled into a folder, unless something has changed since. */
export function currentList(folder) {
  let found;
  try {
    found = JSON.parse(readFileSync(join(folder, LIST), "utf8"));
  } catch {
    return undefined;
  }
  return found.inputs.every(([path, size, mtimeMs]) => {
    const now = statSync(join(ROOT, path), { throwIfNoEntry: false });
    return now !== undefined && now.size === size && now.mtimeMs === mtimeMs;
  })
    ? found
    : undefined;
}
