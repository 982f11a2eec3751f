/** Writes docs/openapi.json and docs/rest.md; with --check it only names those that differ, exit code 1. `npm run generate` runs this too. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openapi } from "../rest/openapi.ts";
import { restMarkdown } from "../rest/rest_markdown.ts";
import { ROUTES } from "../rest/routes/index.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** Path from the repository's root → content. */
export function generatedDocs(): Map<string, string> {
  return new Map([
    ["docs/openapi.json", `${JSON.stringify(openapi(ROUTES), null, 2)}\n`],
    ["docs/rest.md", restMarkdown(ROUTES)],
  ]);
}

/** Paths whose content on disk is not what is generated. */
export function staleDocs(): string[] {
  return [...generatedDocs()].filter(([path, content]) => !existsSync(join(ROOT, path)) || readFileSync(join(ROOT, path), "utf8") !== content).map(([path]) => path);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = generatedDocs();
  for (const path of staleDocs()) {
    if (process.argv.includes("--check")) {
      process.stderr.write(`${path} differs from what is generated. Run 'npm run generate' and commit the result.\n`);
      process.exitCode = 1;
    } else {
      writeFileSync(join(ROOT, path), files.get(path)!);
      process.stdout.write(`wrote ${path}\n`);
    }
  }
}
