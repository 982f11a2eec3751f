/** Writes docs/cli.md and docs/schemas; with --check it only names the files that differ, exit code 1. `npm run generate` runs this too. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeAll } from "../cli/output.ts";
import { ROOT } from "../package.ts";
import { generatedDocs } from "./generated.ts";

/** Paths whose content on disk is not what is generated. */
export function staleDocs(): string[] {
  return [...generatedDocs()].filter(([path, content]) => readIfThere(join(ROOT, path)) !== content).map(([path]) => path);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const stale = staleDocs();
  const check = process.argv.includes("--check");
  const files = generatedDocs();
  for (const path of stale) {
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
