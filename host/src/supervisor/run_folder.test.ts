import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { takeLock } from "../process_lock.ts";
import { emptyKept } from "./books.ts";
import { Membership } from "./membership.ts";
import { isAlive, kill, startOf } from "./process_id.ts";
import { RunFolder, lifeOfSpec } from "./run_folder.ts";
import { newSecrets, newState, packState, readState } from "./state_file.ts";
import { requireSame } from "./tenant_spec.ts";

let base: string;
const env = (): NodeJS.ProcessEnv => ({ XDG_RUNTIME_DIR: base });
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "nfa-run-"));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

test("one supervisor has it; one that is gone does not", async () => {
  const folder = RunFolder.hold("x", env());
  expect(statSync(folder.path).mode & 0o777).toBe(0o700);
  expect(() => RunFolder.hold("x", env())).toThrow(/another supervisor \(pid \d+\) runs the processes of host 'x'/);
  RunFolder.hold("y", env()).release();
  folder.writeState("{}");
  folder.release();
  // A process that held it and was killed, and one that has its id now.
  const child = spawn("sleep", ["100"]);
  await once(child, "spawn");
  for (const start of [startOf(child.pid!)!, "1"]) {
    writeFileSync(join(folder.path, "lock"), JSON.stringify({ pid: child.pid, start }));
    if (start === "1") RunFolder.hold("x", env()).release();
    else expect(() => RunFolder.hold("x", env())).toThrow(`pid ${child.pid}`);
  }
  child.kill("SIGKILL");
  await once(child, "exit");
  writeFileSync(join(folder.path, "lock"), JSON.stringify({ pid: child.pid, start: "1" }));
  RunFolder.hold("x", env()).release();
  writeFileSync(join(folder.path, "lock"), "rubbish");
  RunFolder.hold("x", env()).remove();
  expect(existsSync(folder.path)).toBe(false);
});

test("where nothing was started nothing stays", () => {
  const folder = RunFolder.hold("x", env());
  folder.release();
  expect(existsSync(folder.path)).toBe(false);
});

test("a life's files have its name, and go with it", () => {
  const folder = RunFolder.hold("x", env());
  const life = { member: 1, incarnation: 2 };
  writeFileSync(folder.writeSpec(life, { a: 1 }), "{}");
  for (const path of [folder.controlOf(life), folder.countersOf(life), folder.logOf(life), folder.linkOf(life, 1)]) writeFileSync(path, "x: y\n");
  writeFileSync(folder.countersOf({ member: 1, incarnation: 22 }), "");
  expect(lifeOfSpec("m1.2.spec.json")).toEqual(life);
  expect(lifeOfSpec("m1.2.counters")).toBeUndefined();
  expect(folder.logText(life)).toBe("x: y");
  folder.forget(life);
  expect(readdirSync(folder.path).sort()).toEqual(["lock", "m1.22.counters"]);
  const bytes = folder.keepBytes(new Uint8Array([1, 2]));
  expect(folder.keepBytes(new Uint8Array([1, 2]))).toBe(bytes);
  const other = folder.keepBytes(new Uint8Array([3]));
  folder.keepOnlyBytes([new Uint8Array([3])]);
  expect(readdirSync(folder.path).sort()).toEqual([basename(other), "lock", "m1.22.counters"].sort());
});

test("of those that find the lock of a dead one, one at a time may take it", async () => {
  const path = join(base, "lock");
  const dead = JSON.stringify({ pid: process.pid, start: "1" });
  const other = spawn("sleep", ["100"]);
  await once(other, "spawn");
  const id = { pid: other.pid!, start: startOf(other.pid!)! };
  writeFileSync(path, dead);
  // It has read that, and is about to put its own in its place.
  writeFileSync(`${path}.taking`, JSON.stringify(id));
  expect(takeLock(path)).toEqual(id);
  expect(readFileSync(path, "utf8")).toBe(dead);
  kill(id, "SIGKILL");
  await once(other, "exit");
  expect(takeLock(path)).toBeUndefined();
  expect(readdirSync(base)).toEqual(["lock"]);
  expect(takeLock(path)).toMatchObject({ pid: process.pid });
});

test("a name that is too long for its sockets is refused before anything is made", () => {
  base = join(base, "a".repeat(40));
  expect(() => RunFolder.hold("b".repeat(63), env())).toThrow("is too long for a socket");
});

test("the state is read as it was written; a damaged one says what to do", () => {
  const folder = RunFolder.hold("x", env());
  expect(readState(folder)).toBeUndefined();
  const state = newState(newSecrets(), { chain: "fw" }, Membership.create([1, 2]).durable());
  state.books = { ...emptyKept(), received: 2n ** 63n, dropped: { nf_fault: 3n } };
  folder.writeState(packState(state));
  expect(readState(folder)).toEqual(state);
  for (const text of ["", "{", "{}", packState(state).replace('"v":1', '"v":2')]) {
    folder.writeState(text);
    expect(() => readState(folder)).toThrow(`the state of host 'x' in ${folder.path} is damaged`);
  }
});

test("processes are taken over only with the settings that they have", () => {
  const runs = { interfaces: "c0, s0", chain: "fw 1.0.0 sha256:ab" };
  requireSame("x", runs, { ...runs });
  expect(() => requireSame("x", runs, { ...runs, chain: "fw 1.0.1 sha256:cd" })).toThrow(
    "processes of host 'x' run already, with other settings: chain is 'fw 1.0.0 sha256:ab'",
  );
  expect(() => requireSame("x", runs, { interfaces: "c1, s0" })).toThrow("interfaces is 'c0, s0'");
});

test("a process is its id and its start", async () => {
  const child = spawn("sleep", ["100"]);
  await once(child, "spawn");
  const id = { pid: child.pid!, start: startOf(child.pid!)! };
  expect(isAlive(id)).toBe(true);
  kill({ ...id, start: "1" }, "SIGKILL");
  expect(isAlive(id)).toBe(true);
  kill(id, "SIGKILL");
  await once(child, "exit");
  expect(isAlive(id)).toBe(false);
});
