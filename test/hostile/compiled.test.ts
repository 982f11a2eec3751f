/** The admitted part of the hostile corpus before the compiler: all of it becomes native code within the jail's limits, however hard that is made. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { unpackComponent } from "../../sdk/pack/index.ts";
import { nfactordPath } from "../../host/src/package.ts";
import { HOSTILE_RUNS, buildHostile } from "./corpus.ts";

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), "nfactor-hostile-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("compiled in the jail", () => {
  it.each(HOSTILE_RUNS)("$name", async ({ name }) => {
    const [input, output] = [join(folder, `${name}.wasm`), join(folder, `${name}.native`)];
    writeFileSync(input, unpackComponent(await buildHostile(name)).core);
    await run(nfactordPath(), ["compile", input, output]);
    expect(readFileSync(output).subarray(0, 4)).toEqual(Buffer.from("\x7fELF"));
  });
});
