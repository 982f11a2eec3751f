import { staleDocs } from "@nfactor/host/docs";
import { ERROR_CODES } from "@nfactor/sdk/error_codes";
import { expect, test } from "vitest";
import { openapi } from "../rest/openapi.ts";
import { placeholders, routeName } from "../rest/route.ts";
import { ROUTES } from "../rest/routes/index.ts";
import { controllerDocs } from "./generate.ts";

test("docs/cli.md, docs/errors.md, docs/openapi.json and docs/rest.md are those of the code (npm run generate)", () => {
  expect(staleDocs(controllerDocs())).toEqual([]);
});

test("the document is whole: nothing refers to what is not there, each name of a path is described, each operation has its own id", () => {
  const document = openapi(ROUTES) as unknown as {
    readonly paths: Record<string, Record<string, { operationId: string; parameters?: { name: string; in: string }[] }>>;
  };
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference);
  expect(new Set(references)).toEqual(new Set(["#/components/schemas/Error"]));
  const operations = Object.entries(document.paths).flatMap(([path, methods]) => Object.values(methods).map((operation) => ({ path, ...operation })));
  expect(operations).toHaveLength(ROUTES.length);
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(ROUTES.length);
  for (const { path, parameters = [] } of operations)
    expect(parameters.filter((each) => each.in === "path").map(({ name }) => name)).toEqual(placeholders(path));
});

test("each error code is in the catalogue, with an exit code, and what to do about it", () => {
  const rows = controllerDocs().get("docs/errors.md")!.matchAll(/^\| `([a-z_.]+)` \| (\d+) \| (\d{3})? \| ([^|]+) \| ([^|]+) \|$/gm);
  const found = new Map([...rows].map(([, code, exit, , means, advice]) => [code, { exit: Number(exit), means, advice }]));
  expect([...found.keys()].sort()).toEqual(Object.keys(ERROR_CODES).sort());
  for (const { exit, advice } of found.values()) {
    expect(exit).toBeGreaterThan(0);
    expect(advice).toMatch(/[.)]$/);
  }
});

test("the reference has a section for each route", () => {
  const text = controllerDocs().get("docs/rest.md")!;
  for (const route of ROUTES) expect(text).toContain(`\n### ${routeName(route)}\n`);
});

test("every command has examples, and says what it says for machines", () => {
  const sections = controllerDocs().get("docs/cli.md")!.split("\n## nfactor ").slice(1);
  expect(sections.length).toBeGreaterThan(50);
  for (const section of sections) {
    expect(section).toMatch(/Examples:\n {2}(nfactor |source |\()/);
    expect(section).toContain("--json");
  }
});
