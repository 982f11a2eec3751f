/** What somebody reads who made a slip in a YAML file: the place, what stands there, what may stand there, what was probably meant. */
import { describe, expect, test } from "vitest";
import { NfError } from "../errors.ts";
import { parseManifest } from "./manifest.ts";

const GOOD = `apiVersion: nfactor/v1
name: sample
version: 1.0.0
rights: { view: headers }
drop_reasons: { 128: full }
`;

function complaint(from: string | RegExp, to: string): string {
  const text = GOOD.replace(from, to);
  expect(text).not.toBe(GOOD);
  try {
    parseManifest(text);
  } catch (error) {
    if (error instanceof NfError) return error.format();
    throw error;
  }
  throw new Error("it was accepted");
}

describe("a field", () => {
  test.each<[string, string | RegExp, string, string]>([
    ["unknown", "rights:", "right:", "nf.yaml:4:1: unknown field 'right'.\n  Allowed: apiVersion, name, version, description, entry, rights, "],
    [
      "unknown, further in",
      "view",
      "views",
      "nf.yaml:4:11: unknown field 'rights.views'.\n  Allowed: view, edit, reshape, reply, emits, lease. Did you mean 'view'?",
    ],
    ["missing", "name: sample\n", "", "nf.yaml:1:1: 'name' is missing.\n  Allowed: a text."],
    ["empty", "sample", "", "nf.yaml:2:7: 'name' is empty.\n  Allowed: a text."],
    ["of another type", "1.0.0", "1.0", "nf.yaml:3:10: 'version' is 1: a version is major.minor.patch, like 1.0.0.\n  Allowed: a text."],
    ["that is no object", "{ view: headers }", "headers", "nf.yaml:4:9: 'rights' is \"headers\".\n  Allowed: an object, with its fields as 'name: value'."],
    [
      "with a word that is none of its own",
      "headers",
      "header",
      "nf.yaml:4:17: 'rights.view' is \"header\".\n  Allowed: headers, payload. Did you mean 'headers'?",
    ],
    ["that is too large", "view: headers", "emits: 9", "nf.yaml:4:18: 'rights.emits' is 9.\n  Allowed: at most 2."],
    ["with a bad key", "128", "17", "nf.yaml:5:17: 'drop_reasons.17': an NF's own drop reasons have numbers from 128 to 255"],
  ])("%s", (_, from, to, text) => {
    expect(complaint(from, to)).toContain(`error[manifest.field]: ${text}`);
  });
});

describe("syntax", () => {
  const FIX = "\n  A field is written 'name: value' on a line of its own; what belongs to it stands below, two blanks further in, or in { } or [ ].";
  test.each<[string, string | RegExp, string, string]>([
    ["a colon that is missing", "name: sample", "name sample", "nf.yaml:2:1: 'name sample': there is no ':' between a name and its value."],
    ["a colon too many", "name: sample", "name: sample: x", "nf.yaml:2:7: 'name: sample: x': a ':' too many, or the line below is too far in."],
    ["a line too far in", "version", "  version", "nf.yaml:2:7: 'name: sample': a ':' too many, or the line below is too far in."],
    ["a brace that is not closed", "headers }", "headers", "nf.yaml:5:1: 'drop_reasons: { 128: full }': a { or [ before this is not closed"],
    ["a quote that is not closed", "sample", '"sample', "missing closing"],
    ["a name twice", "version: 1.0.0", "name: again", "nf.yaml:3:1: 'name: again': map keys must be unique."],
    ["a tab", "{ view: headers }", "\n\tview: headers", "tabs are not allowed as indentation"],
  ])("%s", (_, from, to, text) => {
    const said = complaint(from, to);
    expect(said).toMatch(/^error\[manifest\.yaml\]: nf\.yaml:\d+:\d+: /);
    expect(said).toContain(text);
    expect(said.endsWith(FIX)).toBe(true);
    expect(said.split("\n")).toHaveLength(2);
  });
});

test("several: the first, and how many more", () => {
  expect(complaint(/name: sample\nversion: 1.0.0/, "name: Sample\nversion: one")).toMatch(
    /^error\[manifest\.field\]: nf\.yaml:2:7: .* \(and 1 more problem in this file\)/,
  );
});
