/** Where the parts of an installed NFActor are. Everything is found from this file, never from the working directory. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { NfError } from "@nfactor/sdk/errors";

export const ROOT = resolve(import.meta.dirname, "../..");
/** Folder of the NFs that ship with NFActor. */
export const SHIPPED_NFS = join(ROOT, "nf-wasm");
export const NFACTOR = join(ROOT, "bin/nfactor");
export const SDK = join(ROOT, "sdk");
const NATIVE = join(ROOT, "build/native");

export const VERSION = (JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string }).version;

/** Path of the stand-alone dataplane, which also compiles modules; throws NfError native.missing. */
export function nfactordPath(): string {
  const path = process.env.NFACTOR_NFACTORD ?? join(NATIVE, "nfactord");
  if (!existsSync(path))
    throw new NfError("native.missing", `the native dataplane is not built (${path} does not exist)`, { fix: "Run 'npm run build' in NFActor's folder." });
  return path;
}

/** Where the addon is, whether it is there or not. */
export function addonPath(): string {
  return process.env.NFACTOR_ADDON ?? join(NATIVE, "nfactor_addon.node");
}
