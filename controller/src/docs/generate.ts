/** Writes docs/cli.md, docs/errors.md, docs/openapi.json and docs/rest.md; with --check it only names those that differ, exit code 1. `npm run generate` runs this too. */
import { fileURLToPath } from "node:url";
import { type Docs, cliMarkdown, generate } from "@nfactor/host/docs";
import { createClusterProgram } from "../cli/program.ts";
import { openapi } from "../rest/openapi.ts";
import { restMarkdown } from "../rest/rest_markdown.ts";
import { ROUTES } from "../rest/routes/index.ts";
import { errorsMarkdown } from "./errors_markdown.ts";

export function controllerDocs(): Docs {
  return new Map([
    ["docs/cli.md", cliMarkdown(createClusterProgram([]))],
    ["docs/errors.md", errorsMarkdown()],
    ["docs/openapi.json", `${JSON.stringify(openapi(ROUTES), null, 2)}\n`],
    ["docs/rest.md", restMarkdown(ROUTES)],
  ]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) generate(controllerDocs());
