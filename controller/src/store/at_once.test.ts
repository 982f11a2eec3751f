/** Several that want a store's file at once, which is yet to be made. */
import { execFileSync } from "node:child_process";
import type * as Fs from "node:fs";
import { mkdirSync, readdirSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type Store, openSqliteStore } from "./index.ts";
import { sqliteAddon } from "./sqlite/addon.ts";
import { freshFolder } from "./testing/folder.ts";
import { startHolder } from "./testing/holder.ts";
import { contents, put } from "./testing/stores.ts";

/** Called when the file system has been asked whether there is a file, or is about to give it its name. */
const hook = vi.hoisted(() => ({ asked: (): void => undefined, linking: (): void => undefined }));

vi.mock("node:fs", async (original) => {
  const fs = await original<typeof Fs>();
  return {
    ...fs,
    existsSync: (path: string) => {
      const isThere = fs.existsSync(path);
      hook.asked();
      return isThere;
    },
    linkSync: (from: string, to: string) => {
      hook.linking();
      fs.linkSync(from, to);
    },
  };
});

afterEach(() => {
  vi.restoreAllMocks();
  Object.assign(hook, { asked: () => undefined, linking: () => undefined });
});

/** A store with one key, as a process leaves it that is killed: with its log. */
async function storeOfKilled(): Promise<string> {
  const path = join(freshFolder(), "other.db");
  const store = openSqliteStore(path);
  await store.txn({ then: [put("theirs")] });
  const copy = join(freshFolder(), "store.db");
  // By another process: the kernel takes this one's locks away when it closes a descriptor of the file.
  for (const end of ["", "-wal"]) execFileSync("cp", ["--", path + end, copy + end]);
  await store.close();
  return copy;
}

test.each([
  ["looked once", 1],
  ["looked twice", 2],
  ["made its own, which is about to get the name", Infinity],
])("one that another process makes, after this one has %s, is that one's", async (_, looks) => {
  const theirs = await storeOfKilled();
  const path = join(freshFolder(), "a/store.db");
  mkdirSync(dirname(path));
  const make = (): void => ["", "-wal"].forEach((end) => renameSync(theirs + end, path + end));
  let looked = 0;
  hook.asked = () => void ((looked += 1) === looks && make());
  if (looks === Infinity) hook.linking = make;
  const store = openSqliteStore(path);
  expect(await contents(store)).toEqual([expect.stringMatching("theirs")]);
  await store.close();
  expect(readdirSync(dirname(path))).toEqual(["store.db"]);
});

describe("who waits for a file that somebody reads", () => {
  const connect = (path: string) => new Database(path, { nativeBinding: sqliteAddon(), timeout: 0 });
  /** Calls `pausing` when it waits first. */
  async function waiting(pausing: (reader: Database.Database, path: string) => void): Promise<() => Store> {
    const path = join(freshFolder(), "store.db");
    await openSqliteStore(path).close();
    const reader = connect(path);
    reader.prepare("select * from meta").get();
    vi.spyOn(Atomics, "wait").mockImplementationOnce(() => {
      pausing(reader, path);
      return "timed-out";
    });
    return () => openSqliteStore(path);
  }

  test("has it when that one is gone", async () => {
    const open = await waiting((reader) => reader.close());
    await open().close();
  });

  test("is in nobody's way meanwhile", async () => {
    let other: Database.Database | undefined;
    const open = await waiting((reader, path) => {
      reader.close();
      const connection = connect(path);
      connection.exec("pragma locking_mode = exclusive; begin exclusive; commit");
      other = connection;
    });
    expect(open).toThrow(expect.objectContaining({ code: "store.locked" }));
    expect(other).toBeDefined();
    other!.close();
  });
});

test("of several one has it and the others are told that it is in use", async () => {
  const path = join(freshFolder(), "store.db");
  const children = Array.from({ length: 6 }, () => startHolder(path));
  try {
    const said = await Promise.all(children.map((child) => child.said));
    const outcome = said.map((line) => (line === "held\n" ? "held" : line.includes("is in use") ? "in use" : "something else"));
    expect(outcome.sort(), said.join("\n")).toEqual(["held", ...Array.from({ length: 5 }, () => "in use")]);
  } finally {
    for (const child of children) child.process.stdin!.end();
    await Promise.all(children.map((child) => child.ended));
  }
  const store = openSqliteStore(path);
  expect(await contents(store)).toHaveLength(1);
  await store.close();
});
