/**
 * `npm run generate`: writes every file that states ABI numbers or error codes from nf_abi.json and error_codes.json.
 * `npm run generate -- --check`: writes nothing; exit code 1, naming each file that differs from what would be written.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { emitAs } from "./emit/as.ts";
import { emitCpp, emitCppFields } from "./emit/cpp.ts";
import { emitDocs } from "./emit/docs.ts";
import { emitErrorCpp, emitErrorTs, loadErrorCodes } from "./emit/errors.ts";
import { emitTs } from "./emit/ts.ts";
import { emitWit } from "./emit/wit.ts";
import { loadAbi } from "./model.ts";

const HERE = dirname(fileURLToPath(import.meta.url));
export const ROOT = resolve(HERE, "../..");

/** Path (from the repository's root) → content of every file that depends on the JSON files alone. */
export function generateAbi(): Map<string, string> {
  const model = loadAbi(resolve(HERE, "nf_abi.json"));
  const codes = loadErrorCodes(resolve(HERE, "error_codes.json"));
  return new Map([
    ["sdk/abi/gen/nf_abi.h", emitCpp(model)],
    ["sdk/abi/gen/nf_abi_fields.h", emitCppFields(model)],
    ["sdk/abi/gen/abi.as.ts", emitAs(model)],
    ["sdk/abi/gen/abi.ts", emitTs(model)],
    ["sdk/abi/gen/error_codes.ts", emitErrorTs(codes)],
    ["sdk/abi/gen/error_codes.h", emitErrorCpp(codes)],
    ["sdk/wit/nf.wit", emitWit(model)],
    ["docs/abi.md", emitDocs(model)],
  ]);
}

/** What is made from code that itself imports gen/abi.ts, which therefore has to be on disk first. */
export async function generateDependents(): Promise<Map<string, string>> {
  const { manifestJsonSchema } = await import("../manifest/manifest.ts");
  const { admissionRulesMarkdown } = await import("../admission/rules.ts");
  return new Map([
    ["sdk/manifest/nf.schema.json", `${JSON.stringify(manifestJsonSchema(), null, 2)}\n`],
    ["docs/admission_rules.md", admissionRulesMarkdown()],
  ]);
}

/** Paths whose content on disk is not what is generated. */
export async function staleFiles(): Promise<string[]> {
  return [...stale(generateAbi()), ...stale(await generateDependents())];
}

function stale(files: Map<string, string>): string[] {
  return [...files].filter(([path, content]) => readIfThere(resolve(ROOT, path)) !== content).map(([path]) => path);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function writeStale(files: Map<string, string>): number {
  const paths = stale(files);
  for (const path of paths) {
    const file = resolve(ROOT, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, files.get(path)!);
    console.log(`wrote ${relative(process.cwd(), file)}`);
  }
  return paths.length;
}

async function main(): Promise<void> {
  if (process.argv.includes("--check")) {
    const differing = await staleFiles();
    for (const path of differing) console.error(`${path} differs from what is generated. Run 'npm run generate' and commit the result.`);
    if (differing.length > 0) process.exitCode = 1;
    return;
  }
  const written = writeStale(generateAbi()) + writeStale(await generateDependents());
  if (written === 0) console.log("generated files are up to date");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
