import { staleDocs } from "@nfactor/host/docs";
import { expect, test } from "vitest";
import { openapi } from "../rest/openapi.ts";
import { placeholders, routeName } from "../rest/route.ts";
import { ROUTES } from "../rest/routes/index.ts";
import { controllerDocs } from "./generate.ts";

test("docs/cli.md, docs/openapi.json and docs/rest.md are those of the code (npm run generate)", () => {
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
