#!/usr/bin/env -S node --import tsx
/**
 * `npm run generate`: writes every file that states ABI numbers or error codes from nf_abi.json and error_codes.json.
 * `npm run generate -- --check`: writes nothing; exit code 1, naming each file that differs from what would be written.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { emitAs } from "./emit/as.ts";
import { emitCpp } from "./emit/cpp.ts";
import { emitDocs } from "./emit/docs.ts";
import { emitErrorCpp, emitErrorTs, loadErrorCodes } from "./emit/errors.ts";
import { emitTs } from "./emit/ts.ts";
import { emitWit } from "./emit/wit.ts";
import { loadAbi } from "./model.ts";

const HERE = dirname(fileURLToPath(import.meta.url));
export const ROOT = resolve(HERE, "../..");

/** Path (from the repository's root) → content of every generated file. */
export function generateAll(): Map<string, string> {
  const model = loadAbi(resolve(HERE, "nf_abi.json"));
  const codes = loadErrorCodes(resolve(HERE, "error_codes.json"));
  return new Map([
    ["sdk/abi/gen/nf_abi.h", emitCpp(model)],
    ["sdk/abi/gen/abi.as.ts", emitAs(model)],
    ["sdk/abi/gen/abi.ts", emitTs(model)],
    ["sdk/abi/gen/error_codes.ts", emitErrorTs(codes)],
    ["sdk/abi/gen/error_codes.h", emitErrorCpp(codes)],
    ["sdk/wit/nf.wit", emitWit(model)],
    ["docs/abi.md", emitDocs(model)],
  ]);
}

/** Paths whose content on disk is not what `generateAll` makes. */
export function staleFiles(root = ROOT): string[] {
  return [...generateAll()].filter(([path, content]) => readOrEmpty(resolve(root, path)) !== content).map(([path]) => path);
}

function readOrEmpty(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function main(): void {
  const check = process.argv.includes("--check");
  const stale = staleFiles();
  if (check) {
    for (const path of stale) console.error(`${path} differs from what sdk/abi/*.json generates. Run 'npm run generate' and commit the result.`);
    if (stale.length > 0) process.exitCode = 1;
    return;
  }
  const all = generateAll();
  for (const path of stale) {
    const file = resolve(ROOT, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, all.get(path)!);
    console.log(`wrote ${relative(process.cwd(), file)}`);
  }
  if (stale.length === 0) console.log("generated files are up to date");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
