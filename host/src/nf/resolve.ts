/**
 * From the name of an NF to where it is. In this order: a path (something with a slash, a .wasm file, a folder with an nf.yaml), ./nf-wasm/<name>,
 * the NFs that ship with NFActor. Relative paths count from the configuration file's folder, or from the working directory.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { NfError, type Where } from "@nfactor/sdk/errors";
import { MANIFEST_FILE, nearest } from "@nfactor/sdk/manifest";
import { SHIPPED_NFS } from "../package.ts";

export interface NfPlace {
  kind: "source" | "artifact";
  /** Absolute path of the folder, or of the .wasm file. */
  path: string;
  /** It came with NFActor. */
  shipped: boolean;
}

/** Throws NfError (nf.not_found). `where` is the place in the configuration file that names the NF. */
export function resolveNf(name: string, base = process.cwd(), where?: Where): NfPlace {
  const path = resolve(base, name);
  if (name.includes("/") || name.endsWith(".wasm") || existsSync(join(path, MANIFEST_FILE))) return placeAt(path, name, where);
  const local = join(base, "nf-wasm", name);
  if (existsSync(join(local, MANIFEST_FILE))) return placeAt(local, name, where);
  const shipped = join(SHIPPED_NFS, name);
  if (existsSync(join(shipped, MANIFEST_FILE))) return { kind: "source", path: shipped, shipped: true };
  if (existsSync(path) && statSync(path).isDirectory()) return placeAt(path, name, where);
  const known = [...new Set([...nfsIn(join(base, "nf-wasm")), ...nfsIn(SHIPPED_NFS)])].sort();
  const meant = nearest(name, known);
  throw new NfError("nf.not_found", `there is no NF '${name}': neither a path, nor in ./nf-wasm, nor shipped`, {
    where,
    given: name,
    allowed: known.length > 0 ? `${known.join(", ")}, or a path` : "a path",
    fix: meant === undefined ? "Write the path of its folder, or make one with 'nfactor init'." : `Did you mean '${meant}'?`,
  });
}

function placeAt(path: string, name: string, where: Where | undefined): NfPlace {
  const shipped = resolve(path, "..") === SHIPPED_NFS;
  if (existsSync(path) && statSync(path).isFile()) return { kind: "artifact", path, shipped: false };
  if (existsSync(join(path, MANIFEST_FILE))) return { kind: "source", path, shipped };
  throw new NfError(
    "nf.not_found",
    existsSync(path) ? `${name === "." ? "this folder" : `'${name}'`} has no ${MANIFEST_FILE}, so it is no NF` : `there is nothing at '${name}'`,
    {
      where,
      given: name,
      allowed: `a folder with an ${MANIFEST_FILE}, or a .wasm file written by 'nfactor build'`,
      fix: existsSync(path) ? "Name the NF's own folder, or make one with 'nfactor init'." : "Mend the path.",
    },
  );
}

function nfsIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((name) => existsSync(join(folder, name, MANIFEST_FILE)));
}

/** How messages name an NF's folder: from the working directory where that is shorter. */
export function shownPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short === "" ? "." : short.length > path.length ? path : short;
}

/** The name an entry gets when the configuration gives none. */
export function entryNameOf(nf: string): string {
  return basename(nf.replace(/\/+$/, ""), ".wasm");
}
