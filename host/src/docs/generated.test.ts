import { expect, test } from "vitest";
import { staleDocs } from "./generate.ts";

test("docs/schemas are those of the code (npm run generate)", () => {
  expect(staleDocs()).toEqual([]);
});

test("every command has examples and --json", () => {
  const sections = cliMarkdown().split("\n## nfactor ").slice(1);
  expect(sections.map((section) => section.split("\n")[0])).toEqual([
    ...["init", "build", "check", "test", "sim", "run", "swap", "flows"],
    ...["runtimes", "runtimes add", "runtimes remove", "migrate", "drain", "undrain", "recover", "agent", "host", "doctor"],
  ]);
  for (const section of sections) {
    expect(section).toContain("Examples:\n  nfactor ");
    expect(section).toContain("--json");
  }
});
