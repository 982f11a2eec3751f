import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { EalOptions } from "../dataplane/native_types.ts";
import { findMembers } from "./member_process.ts";
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
  expect(folder.logText(LIFE)).toBe(`standby of vswitch ${folder.specOf(LIFE)}`);
  expect(standby.take(LIFE)).toBeUndefined();
});

test("at a first start there is one for each member, in a folder with nothing else in it", async () => {
  const starts = standIn("read line <&3; echo of $line; exit 5");
  const left = { member: 1, incarnation: 3 };
  folder.writeLog(left, "of a tenant that is gone");
  const first = Standby.ofFirstStart(folder, EAL, 3)!;
  expect(folder.logText(left)).toBe("");
  const lives = [0, 2, 1].map((member, i) => ({ member, incarnation: i + 1 }));
  const children = lives.map((life) => first.take(life)!);
  expect(new Set(children.map(({ pid }) => pid)).size).toBe(3);
  await Promise.all(children.map((child) => once(child, "exit")));
  expect(lives.map((life) => folder.logText(life))).toEqual(lives.map((life) => `of ${life.member === 0 ? "vswitch" : "runtime"} ${folder.specOf(life)}`));
  expect([first.take(left), starts()]).toEqual([undefined, 3]);
});

test("at a first start there is none beside processes that run already, and nothing of theirs is touched", async () => {
  // It is known by its words.
  writeFileSync(join(base, "vswitch"), "read line");
  const member = spawn("/bin/sh", ["vswitch", folder.specOf(LIFE)], { cwd: base });
  folder.writeState("theirs");
  await expect.poll(() => findMembers(folder.path).length, { timeout: 30_000 }).toBe(1);
  expect(Standby.ofFirstStart(folder, EAL, 3)).toBeUndefined();
  expect(folder.readState()).toBe("theirs");
  member.kill("SIGKILL");
  await once(member, "exit");
});

test("whom nobody knows any more when it reads what it is to be ends", async () => {
  standby.prepare(EAL);
  const child = standby.take({ member: 1, incarnation: 8 })!;
  (child.stdio[3] as Socket).destroy();
  // It would refuse a specification that is not there, and does not read it.
  expect(await once(child, "exit")).toEqual([0, null]);
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
