/**
 * A verdict as text: what the checking process writes and what a host may keep by digest. The reader of a kept verdict must have made sure that it
 * is its own (host/src/cache does, with a MAC): nothing is checked again here but its form.
 */
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import type { Admission, AdmittedNf } from "./check.ts";

type AdmissionText = Omit<Admission, "nf"> & { nf?: Omit<AdmittedNf, "core"> & { core: string } };

export function encodeAdmission({ nf, ...rest }: Admission): string {
  const text: AdmissionText = { ...rest, ...(nf && { nf: { ...nf, core: Buffer.from(nf.core).toString("base64") } }) };
  return JSON.stringify(text);
}

/** Throws SyntaxError or Error when `text` is no verdict, or its core module is not the one of its digest. */
export function decodeAdmission(text: string): Admission {
  const { nf, ...rest } = JSON.parse(text) as AdmissionText;
  if (typeof rest.ok !== "boolean" || !Array.isArray(rest.refusals) || rest.ok !== (nf !== undefined)) throw new Error("this is no verdict of admission");
  if (nf === undefined) return rest;
  const core = new Uint8Array(Buffer.from(nf.core, "base64"));
  if (createHash("sha256").update(core).digest("hex") !== nf.digest) throw new Error("the verdict's module is not the one of its digest");
  return { ...rest, nf: { ...nf, core } };
}

/** Under which name a verdict on these bytes may be kept: of the bytes, and of the checker that gave it. */
export function admissionCacheKey(bytes: Uint8Array): string {
  return `${createHash("sha256").update(bytes).digest("hex")}-${(checker ??= checkerDigest())}`;
}

let checker: string | undefined;

/** Changes whenever the rules or what enforces them change. */
function checkerDigest(): string {
  const sdk = new URL("../", import.meta.url);
  const folders = ["admission", "config", "manifest", "pack"].flatMap((folder) =>
    readdirSync(new URL(folder, sdk))
      .filter((name) => /\.m?ts$/.test(name) && !name.includes(".test."))
      .sort()
      .map((name) => `${folder}/${name}`),
  );
  const hash = createHash("sha256").update(process.version);
  for (const path of [...folders, "abi/gen/abi.ts", "wit/nf.wit", "package.json"]) hash.update(`\n${path}\n`).update(readFileSync(new URL(path, sdk)));
  return hash.digest("hex").slice(0, 16);
}
