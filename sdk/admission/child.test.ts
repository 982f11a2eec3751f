/** The check in a process of its own: same verdict, and no more time or memory than it was given. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { LIMITS } from "../abi/gen/abi.ts";
import { admissionJson, formatAdmission, refusedError } from "./admission_text.ts";
import { checkComponent } from "./check.ts";
import { checkInChild } from "./child.ts";
import { bareComponent, wholeComponent } from "./testing/artifact.ts";
import { encodeModule, exported, validModule } from "./testing/raw_module.ts";
import { admissionCacheKey, decodeAdmission, encodeAdmission } from "./verdict.ts";

const folder = mkdtempSync(join(tmpdir(), "nfactor-admission-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const good = (): Promise<Uint8Array> => wholeComponent(encodeModule(validModule()));
function bad(): Uint8Array {
  const module = validModule();
  module.exports.push(exported("debug", 0, 3));
  return bareComponent(encodeModule(module));
}

describe("in a child process", () => {
  it("gives the same verdict as here, for bytes and for a file", async () => {
    const bytes = await good();
    const path = join(folder, "good.wasm");
    writeFileSync(path, bytes);
    const here = await checkComponent(bytes);
    expect(here.ok).toBe(true);
    expect(await checkInChild(bytes)).toEqual(here);
    expect(await checkInChild(path)).toEqual(here);
    expect(await checkInChild(bad())).toEqual(await checkComponent(bad()));
  });

  it("ends a check that takes too long", async () => {
    const { ok, refusals } = await checkInChild(await good(), { timeMs: 20 });
    expect(ok).toBe(false);
    expect(refusals).toMatchObject([{ rule: "check_limits", value: "time", limit: "20 ms" }]);
  });

  it("ends a check that needs too much memory", async () => {
    const { ok, refusals } = await checkInChild(await good(), { memoryMb: 64 });
    expect(ok).toBe(false);
    expect(refusals).toMatchObject([{ rule: "check_limits", value: "memory", limit: "64 MiB" }]);
  });

  it("checks the largest artifact there may be within its limits", async () => {
    // Section lengths of two bytes each: the most parts that fit.
    const bytes = new Uint8Array(LIMITS.component_bytes_max).fill(0);
    bytes.set(bad().subarray(0, 8));
    for (let at = 8; at + 3 <= bytes.length; at += 3) bytes.set([0, 1, 0], at);
    const { refusals } = await checkInChild(bytes);
    expect(refusals.map(({ rule }) => rule)).not.toContain("check_limits");
    expect(refusals.length).toBeGreaterThan(0);
  });

  it("refuses a file that is too large without reading all of it", async () => {
    const path = join(folder, "large.wasm");
    writeFileSync(path, new Uint8Array(LIMITS.component_bytes_max + 100));
    const { refusals } = await checkInChild(path);
    expect(refusals).toMatchObject([{ rule: "component_size", value: LIMITS.component_bytes_max + 1 }]);
  });

  it.each([join(folder, "nothing.wasm"), folder, "/dev/zero"])("says that %s cannot be read", async (path) => {
    await expect(checkInChild(path)).rejects.toMatchObject({ code: "nf.not_found" });
  });
});

describe("a verdict", () => {
  it("survives being written and read, module included", async () => {
    const admission = await checkComponent(await good());
    expect(decodeAdmission(encodeAdmission(admission))).toEqual(admission);
  });

  it("is not read with another module than that of its digest", async () => {
    const text = encodeAdmission(await checkComponent(await good()));
    expect(() => decodeAdmission(text.replace(/"core":"AGFzbQ/, '"core":"AGFzbR'))).toThrow("digest");
    expect(() => decodeAdmission('{"ok":true,"refusals":[]}')).toThrow("no verdict");
  });

  it("is kept under a name of the bytes and of the checker", async () => {
    const bytes = await good();
    expect(admissionCacheKey(bytes)).toBe(admissionCacheKey(bytes.slice()));
    expect(admissionCacheKey(bytes)).not.toBe(admissionCacheKey(bad()));
    expect(admissionCacheKey(bytes)).toMatch(/^[0-9a-f]{64}-[0-9a-f]{16}$/);
  });

  it("is told as a table of what was measured, and as JSON", async () => {
    const admission = await checkComponent(await good());
    expect(formatAdmission(admission)).toMatch(/^admitted: sample 1\.0\.0\n/);
    expect(formatAdmission(admission)).toMatch(/\n {2}functions +7 +2,000\n/);
    expect(admissionJson(admission)).toMatchObject({ ok: true, nf: "sample", version: "1.0.0", digest: admission.nf!.digest, refusals: [] });
  });

  it("is told with rule and fix when it is a refusal", async () => {
    const admission = await checkComponent(bad());
    expect(formatAdmission(admission)).toMatch(/^refused: 1 rule is broken\n/);
    expect(formatAdmission(admission)).toContain(
      "export_unknown: 'debug' is exported, but not a part of the ABI. Remove 'export' from what the host does not call.",
    );
    expect(admissionJson(admission)).toMatchObject({ ok: false, refusals: [{ rule: "export_unknown", value: "'debug'" }] });
    expect(refusedError("x.wasm", admission)).toMatchObject({
      code: "admission.refused",
      message: "x.wasm is refused by rule export_unknown: 'debug' is exported, but not a part of the ABI",
    });
  });
});
