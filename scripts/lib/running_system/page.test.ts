/** docs/running_system.md is of the contract as it is now, and has nothing in it that is a secret or of the machine that made it. */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../live_host.ts";
import { ABOUT, CONTRACT, ORDER } from "./contract.ts";
import { type Example, examplesOf } from "./examples.ts";
import { PAGE, excerpt } from "./page.ts";

const text = readFileSync(join(ROOT, PAGE), "utf8");
const sections = new Map(
  text
    .split(/^### /m)
    .slice(1)
    .map((section) => [section.slice(0, section.indexOf("\n")), section]),
);

test("each request of the contract has an example, with sizes and times; nothing else has (make the page again: it says how)", () => {
  expect([...sections.keys()]).toEqual(ORDER);
  expect([...ORDER].sort()).toEqual(Object.keys(CONTRACT).sort());
  for (const name of ORDER) {
    const section = sections.get(name)!;
    expect(section, name).toMatch(/^request {3}\S.* → \S+, \d+ bytes/m);
    expect(section, name).toMatch(/^(answer|item) .*\d+ bytes, after [\d.]+ ms$/m);
    expect(section, name).toMatch(/Asked by (`nfactor |the |scaling)/);
    expect(text).toContain(`| [\`${name}\`](#${name}) |`);
    if (CONTRACT[name].kind === "stream") expect(section, name).toMatch(/^item {6}the first of/m);
  }
});

test("requests and answers have the fields that a method has", () => {
  const fieldsOf = (schema: unknown): string[] => Object.keys((schema as { shape: Record<string, unknown> }).shape);
  for (const name of ORDER) {
    const blocks = /```text\n(.*?)\n```/s.exec(sections.get(name)!)![1]!.split("\n\n");
    for (const block of blocks) {
      const kind = block.split(" ")[0]!;
      const value = JSON.parse(block.slice(block.indexOf("\n") + 1)) as unknown;
      if (kind === "item") continue;
      const known = fieldsOf(kind === "request" ? CONTRACT[name].params : CONTRACT[name].result);
      for (const field of Object.keys(value as object)) expect(known, `${name}, ${kind}`).toContain(field);
    }
  }
});

test("it has no secrets, no paths, no names of the machine, and addresses of the lab alone", () => {
  expect(text).not.toMatch(/-----BEGIN|nfa_[\w-]{20}|nfj1\.\w/);
  expect(text).not.toMatch(/\b[0-9a-f]{40,}\b/);
  expect(text).not.toMatch(/\/(tmp|root|home|work|var|run)\//);
  // A machine may be called as any word is.
  if (/[-.\d]/.test(hostname()) && hostname().length > 3) expect(text).not.toContain(hostname());
  const addresses = [...text.matchAll(/\b\d+\.\d+\.\d+\.\d+\b/g)].map(([address]) => address);
  expect(addresses.length).toBeGreaterThan(0);
  for (const address of addresses) expect(address).toMatch(/^(10\.7[78]\.0\.\d+|127\.0\.0\.1)$/);
});

test("the figure has the controller, the switch, its ports, and runtimes on both hosts", () => {
  const figure = /```mermaid\n(.*?)```/s.exec(text)![1]!;
  for (const part of ["controller", "virtual switch", "runtime 1", "runtime 4", "host h1", "host h2", "port left", "port right", "RPC"])
    expect(figure).toContain(part);
  expect(figure.match(/pid \d+/g)!.length).toBeGreaterThanOrEqual(8);
});

test("an example is what its command asked for, not what was tried before; a method without one is an error", () => {
  const at = (ms: number): string => new Date(ms).toISOString();
  const line = (method: string, ms: number, more: object) => ({
    event: "answered" as const,
    from: "controller",
    to: "h1",
    method,
    at: at(ms),
    duration_ms: 1,
    ...more,
  });
  const commands = [{ words: "nfactor recover web 3 --yes", fromMs: 1000, toMs: 2000, shows: ["recover" as const] }];
  const lines = [
    line("recover", 500, { request: { dry_run: false, n: 1 } }),
    line("recover", 1500, { request: { dry_run: false, n: 2 } }),
    line("recover", 1600, { request: { dry_run: true } }),
  ];
  expect(() => examplesOf(lines, commands)).toThrow(/nobody has asked for poll_load/);
  const others = ORDER.filter((name) => name !== "recover").map((name) =>
    CONTRACT[name].kind === "stream" ? { ...line(name, 1500, { item: {} }), event: "begun" as const } : line(name, 1500, { request: {} }),
  );
  const shows = ORDER.filter((name) => ABOUT[name].system === undefined);
  const found: Example[] = examplesOf(
    [...lines, ...others],
    [...commands, { words: "nfactor x", fromMs: 1000, toMs: 2000, shows: shows.filter((one) => one !== "recover") }],
  );
  expect(found.find(({ method }) => method === "recover")).toMatchObject({ line: { request: { n: 2 } }, command: "nfactor recover web 3 --yes" });
});

test("what is long is cut, and says so", () => {
  const cut = excerpt({ all: Array.from({ length: 5 }, (_, n) => ({ n, text: "x".repeat(300) })), digest: "ab".repeat(32), few: [1, 2, 3] });
  expect(JSON.parse(cut)).toMatchObject({ all: [{ n: 0 }, { n: 1 }, "… 3 more"] });
  expect(cut).toContain('"abababababab…"');
  expect(cut).toContain("[1, 2, 3]");
});
