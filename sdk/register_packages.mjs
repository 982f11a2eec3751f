// Module hooks, see register.mjs: packages that are ES modules are loaded as they are.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const PACKAGE = /\/node_modules\/.*\.m?js$/;

export async function load(url, context, next) {
  if (!url.startsWith("file:") || context.format !== "module" || !PACKAGE.test(url)) return next(url, context);
  return { format: "module", source: await readFile(fileURLToPath(url)), shortCircuit: true };
}
