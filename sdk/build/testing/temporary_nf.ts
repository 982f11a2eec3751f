/** For tests of the compiler: an NF's folder made of texts, built, and its module run on V8's flat memory. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll } from "vitest";
import { AREAS, RESULT } from "../../abi/gen/abi.ts";
import { NfError } from "../../errors.ts";
import { type BuiltNf, buildNf } from "../build.ts";

export const MANIFEST = `apiVersion: nfactor/v1
name: probe
version: 0.1.0
`;

const folders: string[] = [];
// Not at the process's exit: the runner ends its processes by a signal.
afterAll(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** A folder with these files (path → text), gone when the test file has ended. */
export function nfFolder(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "nfactor-build-"));
  folders.push(folder);
  for (const [path, text] of Object.entries({ "nf.yaml": MANIFEST, ...files })) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

export function buildText(source: string, manifest = MANIFEST): Promise<BuiltNf> {
  return buildNf(nfFolder({ "nf.yaml": manifest, "assembly/index.ts": source }));
}

/** The error of a build that has to fail, as `line:column message` for its first complaint. */
export async function refusal(source: string, manifest = MANIFEST): Promise<NfError> {
  try {
    await buildText(source, manifest);
  } catch (error) {
    if (error instanceof NfError) return error;
    throw error;
  }
  throw new Error("the NF was built");
}

export interface RunningNf {
  exports: Record<string, (...args: (number | bigint)[]) => number>;
  memory: DataView;
  /** Configures with these bytes; the return value of the export, unsigned. */
  configure(config: Uint8Array): number;
  /** The NF's own counter i. */
  counter(i: number): bigint;
}

// The compiler's declarations know a namespace WebAssembly of types only.
const v8 = (
  globalThis as unknown as {
    WebAssembly: { instantiate(core: Uint8Array): Promise<{ instance: { exports: Record<string, unknown> } }> };
  }
).WebAssembly;

/** An instance after `init`. */
export async function run(core: Uint8Array): Promise<RunningNf> {
  const { instance } = await v8.instantiate(core);
  const exports = instance.exports as unknown as RunningNf["exports"];
  const buffer = (instance.exports["memory"] as { buffer: ArrayBuffer }).buffer;
  const memory = new DataView(buffer);
  exports["init"]!();
  return {
    exports,
    memory,
    configure(config) {
      new Uint8Array(buffer).set(config, AREAS.config.address);
      return exports["configure"]!(AREAS.config.address, config.length) >>> 0;
    },
    counter: (i) => memory.getBigUint64(RESULT.counters + 8 * i, true),
  };
}
