/** Documents that are written from code. */
export { type Docs, generate, staleDocs } from "./generate.ts";
export { cliMarkdown } from "./generated.ts";
