import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync, copyFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { HostCache } from "./host_cache.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nfa-cache-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("keeps what was put, also for the next process of this user", () => {
  HostCache.open(folder)!.put("native", "abc", Buffer.from("code"));
  expect(HostCache.open(folder)!.get("native", "abc")?.toString()).toBe("code");
  expect(HostCache.open(folder)!.get("native", "abd")).toBeUndefined();
  expect(statSync(join(folder, "host.key")).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder).sort()).toEqual(["admission", "host.key", "native"]);
});

test("a changed, forged or exchanged file counts as missing", () => {
  const cache = HostCache.open(folder)!;
  cache.put("native", "a", Buffer.from("good"));
  cache.put("native", "b", Buffer.from("other"));
  const path = join(folder, "native/a");
  const whole = readFileSync(path);
  const bad = Buffer.from(whole);
  bad[bad.length - 1]! ^= 1;
  writeFileSync(path, bad);
  expect(cache.get("native", "a")).toBeUndefined();
  copyFileSync(join(folder, "native/b"), path);
  expect(cache.get("native", "a")).toBeUndefined();
  writeFileSync(path, "short");
  expect(cache.get("native", "a")).toBeUndefined();
  writeFileSync(join(folder, "admission/a"), whole);
  expect(cache.get("admission", "a")).toBeUndefined();
  writeFileSync(path, whole);
  expect(cache.get("native", "a")?.toString()).toBe("good");
});

test("another key opens nothing", () => {
  HostCache.open(folder)!.put("native", "a", Buffer.from("good"));
  rmSync(join(folder, "host.key"));
  expect(HostCache.open(folder)!.get("native", "a")).toBeUndefined();
});

test("a key that others can read, or a folder that others can write, is refused", () => {
  HostCache.open(folder);
  chmodSync(join(folder, "host.key"), 0o644);
  expect(() => HostCache.open(folder)).toThrow(/readable by others/);
  chmodSync(join(folder, "host.key"), 0o600);
  chmodSync(folder, 0o777);
  expect(() => HostCache.open(folder)).toThrow(/can be written by others/);
});

test("no place to write is no cache", () => {
  // Not a path below /proc: recursive mkdir of Node 20 never returns from there.
  writeFileSync(join(folder, "file"), "");
  expect(HostCache.open(join(folder, "file/nfactor"))).toBeUndefined();
});
