/** Artifacts for tests: real ones around the smallest module that is admitted, made once for each name, version and build. */
import { createHash } from "node:crypto";
import { type AdmittedNf, checkComponent, refusedError } from "@nfactor/sdk/admission";
import { type ManifestFields, metadataOf, wholeComponent } from "../../../../sdk/admission/testing/artifact.ts";
import { addFunction, body, encodeModule, validModule } from "../../../../sdk/admission/testing/raw_module.ts";

export interface Build {
  readonly name?: string;
  readonly version?: string;
  /** Other builds have other modules. */
  readonly build?: number;
  /** Of the manifest. */
  readonly more?: ManifestFields;
}

const made = new Map<string, Promise<Uint8Array>>();
const admitted = new Map<string, Promise<AdmittedNf>>();

export function artifactOf({ name = "firewall", version = "1.0.0", build = 0, more = {} }: Build = {}): Promise<Uint8Array> {
  const key = JSON.stringify([name, version, build, more]);
  const known = made.get(key) ?? make(name, version, build, more);
  made.set(key, known);
  return known;
}

function make(name: string, version: string, build: number, more: ManifestFields): Promise<Uint8Array> {
  const module = validModule();
  for (let i = 0; i < build; i++) addFunction(module, body([]));
  return wholeComponent(encodeModule(module), metadataOf({ ...more, name, version }));
}

/** Admission in this process, once for each artifact: the child process for each has tests of its own. */
export function admitHere(component: Uint8Array, shown: string): Promise<AdmittedNf> {
  const key = sha256(component);
  const known =
    admitted.get(key) ??
    checkComponent(component).then((admission) => {
      if (!admission.nf) throw refusedError(shown, admission);
      return admission.nf;
    });
  admitted.set(key, known);
  return known;
}

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** In pieces, as from a network. */
export async function* chunked(bytes: Uint8Array, size = 100_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}
