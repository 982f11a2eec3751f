/** Writes docs/cli.md from the help of all commands; with --check it only says whether it differs. `npm run generate` runs this too. */
import { fileURLToPath } from "node:url";
import { type Docs, cliMarkdown, generate } from "@nfactor/host/docs";
import { createClusterProgram } from "./program.ts";

export function cliDocs(): Docs {
  return new Map([["docs/cli.md", cliMarkdown(createClusterProgram([]))]]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) generate(cliDocs());
