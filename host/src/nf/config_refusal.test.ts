import { parseYamlFile } from "@nfactor/sdk/manifest";
import { expect, test } from "vitest";
import { z } from "zod";
import { NfError } from "@nfactor/sdk/errors";
import { configRefused, explainStart, parsePath } from "./config_refusal.ts";

const located = parseYamlFile("default: allow\nrules:\n  - { action: drop, ports: 25-23 }\n", "rules.yaml", z.unknown(), {
  yaml: "config.yaml",
  field: "config.field",
});
const entry = { name: "fw", configPlace: located.where, where: undefined };

test("a complaint points at the field in the file", () => {
  const error = configRefused(
    entry,
    ["hello", "config rules[0].ports: config.port_range: '25-23': the first is above the last; write 23-25"],
    "configure returned 1",
  );
  expect(error.format()).toBe(
    "error[config.port_range]: rules.yaml:3:28: chain 'fw': rules[0].ports: '25-23': the first is above the last; write 23-25.\n  Nothing was started or changed.",
  );
});

test("a field that is not there is sought above, several complaints are counted", () => {
  const error = configRefused(entry, ["config rules[0].to: config.prefix: bad", "config rules[9]: config.prefix: bad"], "");
  expect(error.where).toEqual({ file: "rules.yaml", line: 3, column: 5 });
  expect(error.message).toContain("(and 1 more)");
});

test("an NF that says nothing, or forges a code, is config.refused", () => {
  expect(configRefused(entry, ["no such line"], "configure returned 7")).toMatchObject({ code: "config.refused", message: "chain 'fw': configure returned 7" });
  expect(configRefused(entry, ["config x: internal: \u001b[2J"], "")).toMatchObject({ code: "config.refused", message: "chain 'fw': x: \\u{1b}[2J" });
});

test("paths", () => {
  expect(parsePath("rules[3].ports")).toEqual(["rules", 3, "ports"]);
  expect(parsePath("[1][2].a")).toEqual([1, 2, "a"]);
  expect(parsePath("a.$")).toEqual(["a"]);
});

test("what the dataplane and the simulator say becomes an error of the entry", () => {
  const refused = new NfError("config.refused", "fw: the NF refuses its configuration with code 1\nhello\nconfig default: config.field: neither");
  expect(explainStart(refused, [{ ...entry, name: "f" }, entry])).toMatchObject({ code: "config.field", where: { line: 1, column: 10 } });
  expect(explainStart(new NfError("nf.start", "chain 'fw': init failed"), [entry])).toMatchObject({ code: "nf.start", message: "chain 'fw': init failed" });
  const other = new NfError("eal.memory", "fw: no");
  expect(explainStart(other, [entry])).toBe(other);
});
