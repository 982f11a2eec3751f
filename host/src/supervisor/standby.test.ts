import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { EalOptions } from "../dataplane/native_types.ts";
import { RunFolder } from "./run_folder.ts";
import { Standby } from "./standby.ts";

const EAL: EalOptions = { hugepages: "never", memoryMb: 64 };
const LIFE = { member: 0, incarnation: 7 };

let base: string;
let folder: RunFolder;
let standby: Standby;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "nfa-standby-"));
  folder = RunFolder.hold("x", { XDG_RUNTIME_DIR: base });
  standby = new Standby(folder);
});
afterEach(() => {
  delete process.env["NFACTOR_NFACTORD"];
  standby.close();
  rmSync(base, { recursive: true, force: true });
});

/** Another program in its place, which counts how often it was started. */
function standIn(script: string): () => number {
  const path = join(base, "nfactord");
  const starts = join(base, "starts");
  writeFileSync(starts, "");
  writeFileSync(path, `#!/bin/sh\necho >> ${starts}\n${script}\n`);
  chmodSync(path, 0o700);
  process.env["NFACTOR_NFACTORD"] = path;
  return () => readFileSync(starts, "utf8").length;
}

test("it becomes the life that it is told, and prints into its log", async () => {
  standIn("read line <&3; echo $1 of $line; exit 5");
  standby.prepare(EAL);
  const child = standby.take(LIFE)!;
  expect(await once(child, "exit")).toEqual([5, null]);
  expect(folder.logText(LIFE)).toBe(`standby of ${folder.specOf(LIFE)}`);
  expect(standby.take(LIFE)).toBeUndefined();
});

test("the real one takes the specification for its own, and refuses what is none", async () => {
  standby.prepare(EAL);
  const child = standby.take(LIFE)!;
  const [code] = await once(child, "exit");
  expect({ code, log: folder.logText(LIFE) }).toEqual({ code: 2, log: expect.stringMatching(/^runtime\.spec: .*m0\.7\.spec\.json/) });
});

test("there is one at a time; nobody needs it after the end", async () => {
  const starts = standIn("read line <&3; sleep 100");
  standby.prepare(EAL);
  standby.prepare(EAL);
  const child = standby.take(LIFE)!;
  standby.prepare(EAL);
  standby.close();
  expect(standby.take(LIFE)).toBeUndefined();
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(starts()).toBeLessThanOrEqual(2);
});

test("one that ends by itself is not tried again", async () => {
  const starts = standIn("exit 1");
  standby.prepare(EAL);
  await expect.poll(() => standby.isThere, { timeout: 30_000 }).toBe(false);
  standby.prepare(EAL);
  expect(standby.take(LIFE)).toBeUndefined();
  process.env["NFACTOR_NFACTORD"] = "/nowhere/nfactord";
  const another = new Standby(folder);
  another.prepare(EAL);
  expect(another.take(LIFE)).toBeUndefined();
  expect(starts()).toBe(1);
});
