/** The hostile corpus before admission: what has to be refused is refused by the rule that it breaks; what is left to the engines is admitted. */
import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { checkComponent } from "@nfactor/sdk/admission";
import { HOSTILE, HOSTILE_RUNS, buildHostile } from "./corpus.ts";

const refused = HOSTILE.flatMap((entry) => ("refused" in entry.expect ? [{ ...entry, rules: entry.expect.refused }] : []));

describe("refused", () => {
  it.each(refused)("$name: $tries", async ({ name, rules }) => {
    const { ok, nf, refusals } = await checkComponent(await buildHostile(name));
    expect(ok).toBe(false);
    expect(nf).toBeUndefined();
    expect([...new Set(refusals.map(({ rule }) => rule))].sort()).toEqual([...rules].sort());
    // What a stranger wrote comes out as printable text, or not at all.
    for (const { message, value, limit } of refusals) expect(`${message}${value}${limit}`).toMatch(/^\P{C}{1,1000}$/u);
  });
});

describe("admitted, to be contained at run time", () => {
  it.each(HOSTILE_RUNS)("$name: $tries", async ({ name, run }) => {
    const { refusals, nf } = await checkComponent(await buildHostile(name));
    expect(refusals).toEqual([]);
    const optional: readonly string[] = nf!.optionalExports;
    // What it misbehaves in has to be there.
    if (!["init", "configure", "process-burst", "flow-close"].includes(run.in)) expect(optional).toContain(run.in);
  });
});

describe("the corpus", () => {
  it("names each entry once, and uses every text", () => {
    const names = HOSTILE.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const texts = readdirSync(new URL("corpus", import.meta.url)).map((file) => file.replace(/\.wat$/, ""));
    const used = HOSTILE.flatMap(({ name, source }) => ("file" in source ? [name] : []));
    expect(texts.sort()).toEqual(used.sort());
  });
});
