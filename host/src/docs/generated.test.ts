import { expect, test } from "vitest";
import { staleDocs } from "./generate.ts";

test("docs/schemas are those of the code (npm run generate)", () => {
  expect(staleDocs()).toEqual([]);
});
