/** Writes docs/schemas, and whatever else `generate` is given; with --check it only names the files that differ, exit code 1. `npm run generate` runs this too. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeAll } from "../cli/output.ts";
import { ROOT } from "../package.ts";
import { generatedDocs } from "./generated.ts";

/** Path from the repository's root → content. */
export type Docs = ReadonlyMap<string, string>;

/** Paths whose content on disk is not what is generated. */
export function staleDocs(files: Docs = generatedDocs()): string[] {
  return [...files].filter(([path, content]) => readIfThere(join(ROOT, path)) !== content).map(([path]) => path);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Writes what differs, or with --check names it and sets the exit code. */
export function generate(files: Docs): void {
  const check = process.argv.includes("--check");
  for (const path of staleDocs(files)) {
    if (check) {
      writeAll(2, `${path} differs from what is generated. Run 'npm run generate' and commit the result.\n`);
      process.exitCode = 1;
    } else {
      mkdirSync(dirname(join(ROOT, path)), { recursive: true });
      writeFileSync(join(ROOT, path), files.get(path)!);
      writeAll(1, `wrote ${path}\n`);
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) generate(generatedDocs());
