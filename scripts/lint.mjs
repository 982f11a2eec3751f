#!/usr/bin/env node
// `npm run lint`: formatters and linters over TypeScript, AssemblyScript and C++, the generated files, and the one-way dependencies.
// `npm run lint -- --fix` formats in place.
import { execFileSync } from "node:child_process";
import { ROOT, StepError, main, run } from "./lib/steps.mjs";

const tracked = (...patterns) =>
  execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "--", ...patterns], { cwd: ROOT, encoding: "utf8" })
    .split("\n")
    .filter((file) => file && !/(^|\/)gen\//.test(file));

main(async () => {
  const fix = process.argv.includes("--fix");
  const cxx = tracked("*.cc", "*.h");
  const checks = [
    ["generated files", "node", ["scripts/generate.mjs", ...(fix ? [] : ["--check"])]],
    ["prettier", "npx", ["prettier", fix ? "--write" : "--check", "--log-level", "warn", "."]],
    ["eslint", "npx", ["eslint", "--max-warnings", "0", ...(fix ? ["--fix"] : []), "."]],
    ["tsc", "npx", ["tsc", "--noEmit"]],
    ["clang-format", "clang-format", fix ? ["-i", ...cxx] : ["--dry-run", "--Werror", ...cxx]],
    ["includes go one way", "node", ["scripts/check_includes.mjs"]],
  ];
  let failed = 0;
  // Two at a time; while they repair, one after the other.
  const results = new Map();
  const rest = [...checks];
  const next = async () => {
    for (let check = rest.shift(); check !== undefined; check = rest.shift()) results.set(check[0], await run(check[1], check[2]));
  };
  await Promise.all(Array.from({ length: fix ? 1 : 2 }, next));
  for (const [title] of checks) {
    const { code, output } = results.get(title);
    console.log(`lint: ${title}: ${code === 0 ? "ok" : "FAILED"}`);
    if (code !== 0) {
      failed += 1;
      console.log(output.split("\n").slice(0, 60).join("\n"));
    }
  }
  if (failed > 0) throw new StepError(`${failed} of ${checks.length} checks failed; 'npm run lint -- --fix' repairs formatting.`);
});
