import { linkSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { OutputFile } from "./output_file.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nfa-out-"));
});
afterEach(() => rmSync(folder, { recursive: true }));
const path = (name: string) => join(folder, name);

test("the old file stays until all of the new one is there", () => {
  writeFileSync(path("out"), "old");
  const out = OutputFile.prepare(path("out"));
  expect(readdirSync(folder)).toEqual(["out"]);
  writeFileSync(out.temporary, "new");
  expect(readFileSync(path("out"), "utf8")).toBe("old");
  out.commit();
  expect(readFileSync(path("out"), "utf8")).toBe("new");
  expect(readdirSync(folder)).toEqual(["out"]);
});

test("discarded, it leaves the old file and nothing else", () => {
  writeFileSync(path("out"), "old");
  const out = OutputFile.prepare(path("out"));
  writeFileSync(out.temporary, "half");
  out.discard();
  expect(readdirSync(folder)).toEqual(["out"]);
  expect(readFileSync(path("out"), "utf8")).toBe("old");
});

test("the input is never overwritten, also under another name", () => {
  writeFileSync(path("in"), "");
  linkSync(path("in"), path("alias"));
  expect(() => OutputFile.prepare(path("in"), path("in"))).toThrow(/is the input too/);
  expect(() => OutputFile.prepare(path("alias"), path("in"))).toThrow(/is the input too/);
});

test("a place that cannot be written is refused at once", () => {
  mkdirSync(path("dir"));
  expect(() => OutputFile.prepare(path("none/out"))).toThrow(/its folder does not exist/);
  expect(() => OutputFile.prepare(path("dir"))).toThrow(/is no file/);
});
