/**
 * Runs the AssemblyScript compiler in this process, with the one set of flags that makes a module of the ABI.
 *
 * Sources are read from the NF's folder and named relative to it, the SDK's library comes from sdk/assembly under the name @nfactor/sdk: so
 * neither the module nor its source map holds a path of this machine, and the same sources give the same bytes anywhere.
 */
import { readFileSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import * as asc from "assemblyscript/asc";
import { BASE_PAGES, MODULE_BASE } from "../abi/gen/abi.ts";
import type { ConfigSchema } from "../config/schema.ts";
import type { Manifest } from "../manifest/manifest.ts";
import type { StateSchema } from "../manifest/state_schema.ts";
import { type TransformOutput, makeTransform } from "../transform/transform.ts";
import { type Diagnostic, atAuthors, failedBuild } from "./diagnostics.ts";
import { tidySourceMap } from "./source_map.ts";

/** The SDK's folder. */
export const SDK = fileURLToPath(new URL("..", import.meta.url));
/** The flags of the compiler, the same for every NF. */
export const ASCONFIG = join(SDK, "../asconfig.json");
const LIBRARY = join(SDK, "assembly");
/** The ABI in AssemblyScript is generated elsewhere; the library knows it as ./abi. */
const ABI_SOURCE = join(SDK, "abi/gen/abi.as.ts");

export interface Compiled {
  stateSchema: StateSchema;
  configSchema: ConfigSchema;
  /** The module, with the custom sections that the compiler writes. */
  binary: Uint8Array;
  /** JSON of the source map, sources included. */
  sourceMap: string;
  warnings: Diagnostic[];
}

/** What depends on the ABI and the manifest; all other flags are in ASCONFIG. */
function compilerArguments(entry: string, heapPages: number): string[] {
  const pages = String(BASE_PAGES + heapPages);
  return [
    entry,
    ...["--memoryBase", String(MODULE_BASE)],
    ...["--initialMemory", pages],
    ...["--maximumMemory", pages],
    ...["--outFile", "module.wasm"],
  ];
}

/** What the compiler said when it gave up in the middle: it ends the process then, after it has written to the console. */
class CompilerCrash extends Error {}

let compiling = 0;
const own = { exit: process.exit, error: console.error };

/** Runs the compiler so that a crash of it is an exception. Between its start and its end only its own code and builds beside it run. */
async function survivingCrash<T>(compile: () => Promise<T>): Promise<T> {
  if (compiling++ === 0) {
    let said = "";
    Object.assign(own, { exit: process.exit, error: console.error });
    console.error = (...words: unknown[]) => void (said += `${words.join(" ")}\n`);
    process.exit = () => {
      throw new CompilerCrash(said);
    };
  }
  try {
    return await compile();
  } finally {
    if (--compiling === 0) {
      process.exit = own.exit;
      console.error = own.error;
    }
  }
}

/** Compiles the NF in `folder`, which messages call `shown`; throws NfError build.compile. */
export async function compileNf(folder: string, manifest: Manifest, shown: string): Promise<Compiled> {
  const output: TransformOutput = { stateSchema: undefined, configSchema: undefined, nf: undefined, diagnostics: undefined };
  const files = new Map<string, string | Uint8Array>();
  const diagnostics: Diagnostic[] = [];
  // The compiler looks for flags in the folder of the sources: it finds the project's, not the author's.
  const readFile = (name: string): string | null => (name === "asconfig.json" ? readText(ASCONFIG) : readSource(folder, name));
  const options: asc.APIOptions = {
    stdout: asc.createMemoryStream(),
    stderr: asc.createMemoryStream(),
    readFile,
    writeFile: (name, contents) => void files.set(name, contents),
    listFiles: () => [],
    transforms: [makeTransform({ entry: manifest.entry, manifest }, output) as unknown as asc.Transform],
    reportDiagnostic: (d) => void diagnostics.push(d as unknown as Diagnostic),
  };
  const { error, stderr } = await survivingCrash(() => asc.main(compilerArguments(manifest.entry, manifest.heap_pages), options)).catch((crash: unknown) => {
    if (!(crash instanceof CompilerCrash)) throw crash;
    // It tells what was wrong with the source at its end only, which it has not reached; as a rule that is what it stumbled over.
    diagnostics.push(...((output.diagnostics ?? []) as unknown as Diagnostic[]));
    return { error: new Error("it crashed"), stderr: crash.message };
  });
  const complaints = atAuthors(diagnostics, output.nf && { start: output.nf.start, end: output.nf.end, source: output.nf.source });
  if (error) throw failedBuild(complaints, readFile, shown, error, stderr.toString());
  return {
    stateSchema: output.stateSchema!,
    configSchema: output.configSchema!,
    binary: files.get("module.wasm") as Uint8Array,
    sourceMap: tidySourceMap(String(files.get("module.wasm.map"))),
    warnings: complaints,
  };
}

/** The text of a source by the name that the compiler asks for; null if there is none. Nothing outside the NF's folder and the SDK is read. */
export function readSource(folder: string, name: string): string | null {
  const path = name.replaceAll("\\", "/");
  const library = /(?:^|\/)node_modules\/@nfactor\/sdk\/([\w/]+)\.ts$/.exec(path);
  if (library) return library[1] === "abi" ? readText(ABI_SOURCE) : readText(join(LIBRARY, `${library[1]}.ts`));
  const inside = resolve(folder, path);
  return inside.startsWith(resolve(folder) + sep) && !path.includes("node_modules") ? readText(inside) : null;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
