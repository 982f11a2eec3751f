import { expect, test } from "vitest";
import { diffOf, diffText, flatten } from "./deployment_diff.ts";

const chain = (version: string, more: object[] = []) => ({ host: "h1", chain: [{ name: "fw", nf: `firewall@${version}`, config: { rules: [] } }, ...more] });
const diff = (before: object, after: object) => diffOf(flatten(before), flatten(after));

test("entries are compared by name, so that one more is one more", () => {
  expect(diff(chain("1.0.0"), chain("1.0.0"))).toEqual([]);
  expect(diff(chain("1.0.0"), chain("1.1.0"))).toEqual([
    { sign: "-", path: "chain[fw].nf", value: "firewall@1.0.0" },
    { sign: "+", path: "chain[fw].nf", value: "firewall@1.1.0" },
  ]);
  const lines = diff(chain("1.0.0"), { host: "h1", chain: [{ name: "new", nf: "nat44@1.0.0" }, ...chain("1.0.0").chain] });
  expect(lines.map(({ sign, path }) => sign + path)).toEqual(["+chain[new].name", "+chain[new].nf"]);
});

test("long and hostile values are shown short and harmless", () => {
  const text = diffText(diff({ a: "x" }, { a: `\u001b[2J${"y".repeat(500)}` }));
  expect(text).toContain("\\u{1b}[2J");
  expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThan(200);
});
