/** Where SQLite's addon is. It is built from the sources of the npm package by `npm run build` (scripts/lib/sqlite.mjs), not fetched as a binary. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { NfError } from "@nfactor/sdk/errors";

const FIX = "Run 'npm run build' in NFActor's folder; 'nfactor doctor' says what is missing for it.";

/** Throws NfError (native.missing). */
export function sqliteAddon(): string {
  const path = process.env["NFACTOR_SQLITE"] ?? resolve(import.meta.dirname, "../../../../build/sqlite/better_sqlite3.node");
  if (!existsSync(path)) throw new NfError("native.missing", `SQLite is not built (${path} does not exist)`, { fix: FIX });
  return path;
}

/** What the loader says of an addon that is of another machine or another Node. */
export const addonDoesNotLoad = (cause: Error): NfError =>
  new NfError("native.missing", `SQLite does not load: ${cause.message.split("\n")[0]}`, { cause, fix: FIX });
