import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { openMemoryStore, openSqliteStore } from "../index.ts";
import { LocalStore } from "../local/local_store.ts";
import { freshFolder } from "../testing/folder.ts";
import { startHolder } from "../testing/holder.ts";
import { ManualClock } from "@nfactor/host/manual_clock";
import { Random, Steps, take } from "../testing/steps.ts";
import { bytes, contents, del, everything, put } from "../testing/stores.ts";
import { sqliteAddon } from "./addon.ts";
import { openDatabase } from "./database_file.ts";
import { APPLICATION_ID, SCHEMA, type Schema } from "./schema.ts";
import { SqliteBackend } from "./sqlite_backend.ts";

const SEED = Number(process.env["NF_STORE_SEED"] ?? Date.now() % 1_000_000);
const refusal = (code: string) => expect.objectContaining({ name: "NfError", code });
const digest = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");
const raw = (path: string) => new Database(path, { nativeBinding: sqliteAddon() });

/** Copies with their logs, by another process: the kernel takes this one's locks away when it closes a descriptor of a file. */
function copyStore(path: string, name: string): string {
  const folder = freshFolder();
  const copy = join(folder, name);
  execFileSync("cp", ["--", path, copy]);
  if (existsSync(`${path}-wal`)) execFileSync("cp", ["--", `${path}-wal`, `${copy}-wal`]);
  return copy;
}

/** A store file of some hundred versions, closed. */
async function filledStore(steps = 120): Promise<{ path: string; was: Awaited<ReturnType<typeof everything>> }> {
  const path = join(freshFolder(), "store.db");
  const clock = new ManualClock();
  const store = openSqliteStore(path, { clock });
  const random = new Steps(SEED);
  for (let i = 0; i < steps; i++) await take(random.nextAtOnce(3000), store, clock);
  const was = await everything(store);
  await store.close();
  return { path, was };
}

function expectRefused(path: string, code: string): void {
  const before = digest(path);
  expect(() => openSqliteStore(path)).toThrow(refusal(code));
  expect(digest(path)).toBe(before);
}

describe("a new file", () => {
  test("is made with its folder, for its user alone, and nothing is left beside it", async () => {
    const folder = join(freshFolder(), "a/b");
    const path = join(folder, "store.db");
    await openSqliteStore(path).close();
    expect(readdirSync(folder)).toEqual(["store.db"]);
    expect([statSync(path).mode & 0o777, statSync(folder).mode & 0o777]).toEqual([0o600, 0o700]);
  });

  test("writes everything to disk before a transaction has taken place, with a log", () => {
    const db = openDatabase(join(freshFolder(), "store.db"));
    expect(["journal_mode", "synchronous", "locking_mode"].map((name) => db.pragma(name, { simple: true }))).toEqual(["wal", 2, "exclusive"]);
    db.close();
  });

  test("cannot be where there is a file for a folder", () => {
    const path = join(freshFolder(), "file");
    writeFileSync(path, "");
    expect(() => openSqliteStore(join(path, "store.db"))).toThrow(refusal("store.io"));
    mkdirSync(`${path}.d`);
    expect(() => openSqliteStore(`${path}.d`)).toThrow(refusal("store.io"));
  });

  test("does not take over the log of one that is gone", async () => {
    const { path } = await filledStore();
    writeFileSync(`${path}.moved`, "");
    execFileSync("mv", [path, `${path}.moved`]);
    writeFileSync(`${path}-wal`, "log");
    expect(() => openSqliteStore(path)).toThrow(refusal("store.damaged"));
    expect(existsSync(path)).toBe(false);
    expect(readFileSync(`${path}-wal`, "utf8")).toBe("log");
  });
});

describe("a file of somebody else", () => {
  test.each([
    ["is empty", ""],
    ["is text", "once upon a time ".repeat(1000)],
    ["begins like a database", `SQLite format 3\0${"x".repeat(4096)}`],
  ])("that %s is refused and left as it is", (_, content) => {
    const path = join(freshFolder(), "store.db");
    writeFileSync(path, content);
    expectRefused(path, "store.format");
  });

  test("that is another program's database is refused and left as it is, with its log", () => {
    const path = join(freshFolder(), "other.db");
    const other = raw(path);
    other.pragma("journal_mode = wal");
    other.exec("create table t (x); insert into t values (1)");
    const copy = copyStore(path, "copy.db");
    other.close();
    const log = digest(`${copy}-wal`);
    expectRefused(copy, "store.format");
    expect(digest(`${copy}-wal`)).toBe(log);
  });
});

describe("a damaged file", () => {
  test("is refused, or is as good as before: bits flipped anywhere, and it is never written", async () => {
    const { path, was } = await filledStore();
    const random = new Random(SEED);
    const whole = readFileSync(path);
    let refused = 0;
    for (let i = 0; i < 150; i++) {
      const copy = join(freshFolder(), "store.db");
      const damaged = Buffer.from(whole);
      const at = random.below(damaged.length);
      damaged[at]! ^= 1 << random.below(8);
      writeFileSync(copy, damaged);
      let store;
      try {
        store = openSqliteStore(copy);
      } catch (error) {
        expect(error, `seed ${SEED}, byte ${at}`).toEqual(
          expect.objectContaining({ name: "NfError", code: expect.stringMatching(/^store\.(damaged|format)$/) as string }),
        );
        expect(digest(copy), `seed ${SEED}, byte ${at}`).toBe(createHash("sha256").update(damaged).digest("hex"));
        refused += 1;
        continue;
      }
      expect(await everything(store), `seed ${SEED}, byte ${at}`).toEqual(was);
      await store.close();
    }
    expect(refused).toBeGreaterThan(10);
  });

  test("is refused whichever bit of its revision flips", async () => {
    const { path, was } = await filledStore();
    const db = raw(path);
    const page = db.prepare("select rootpage from sqlite_schema where name = 'meta'").pluck().get() as number;
    const bytes = db.pragma("page_size", { simple: true }) as number;
    db.close();
    const whole = readFileSync(path);
    const copy = join(freshFolder(), "store.db");
    // Rows are at the end of their page.
    for (let bit = (page * bytes - 24) * 8; bit < page * bytes * 8; bit++) {
      const damaged = Buffer.from(whole);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      writeFileSync(copy, damaged);
      let store;
      try {
        store = openSqliteStore(copy);
      } catch (error) {
        expect(error, `bit ${bit}`).toEqual(refusal("store.damaged"));
        continue;
      }
      expect(await everything(store), `bit ${bit}`).toEqual(was);
      await store.close();
    }
  });

  test("that ends too early is refused", async () => {
    const { path } = await filledStore();
    for (const part of [0.1, 0.5, 0.9]) {
      const copy = copyStore(path, "store.db");
      truncateSync(copy, Math.floor(statSync(copy).size * part));
      expectRefused(copy, "store.damaged");
    }
  });

  test.each([
    ["a value that is another one", "update versions set value = cast('x' as blob) where id = (select id from live limit 1)", "checksum"],
    ["a key that was forgotten", "delete from live where key = (select key from live limit 1)", "newest"],
    ["a version that is missing", "delete from versions where id = (select id from live limit 1)", "no version"],
    ["a revision that went back", "update meta set revision = 2", "never made"],
    ["a revision that is another one", "update meta set revision = revision + 1", "checksum of its revision"],
    ["a lease that is longer", "insert into leases values (99, 1, 0)", "checksum of lease 99"],
    ["no revision", "delete from meta", "revision is missing"],
    ["a table that is missing", "drop table live", "live"],
  ])("with %s is refused, although SQLite finds nothing", async (_, sql, says) => {
    const { path } = await filledStore();
    const db = raw(path);
    db.exec(sql);
    db.close();
    expectRefused(path, "store.damaged");
    expect(() => openSqliteStore(path)).toThrow(says);
  });

  test("that is damaged while it is open: whoever reads it is told, and after that nothing goes on", async () => {
    const path = join(freshFolder(), "store.db");
    const db = openDatabase(path);
    const store = new LocalStore(new SqliteBackend(path, db), { clock: new ManualClock() });
    await store.txn({ then: [put("a", "1"), put("b", "1")] });
    const watch = await store.watch({ prefix: "" });
    const told = expect(watch.next()).rejects.toEqual(refusal("store.damaged"));
    db.exec("update versions set version = 7 where key = 'a'");
    await expect(store.get("a")).rejects.toEqual(refusal("store.damaged"));
    await told;
    await expect(store.txn({ then: [put("c")] })).rejects.toEqual(refusal("store.damaged"));
    await store.close();
    await expect(store.get("b")).rejects.toEqual(refusal("store.closed"));
  });

  test("whose log was cut off anywhere is what it was after one of its transactions", async () => {
    const path = join(freshFolder(), "store.db");
    const clocks = [new ManualClock(), new ManualClock()] as const;
    const store = openSqliteStore(path, { clock: clocks[0] });
    const memory = openMemoryStore({ clock: clocks[1] });
    const steps = new Steps(SEED);
    const after = new Map<number, string[]>();
    for (let i = 0; i < 60; i++) {
      const step = steps.nextAtOnce(2000);
      if (step.do !== "txn") continue;
      await take(step, store, clocks[0]);
      await take(step, memory, clocks[1]);
      after.set((await memory.status()).revision, await contents(memory));
    }
    after.set(1, []);
    const random = new Random(SEED);
    const whole = copyStore(path, "store.db");
    await store.close();
    const size = statSync(`${whole}-wal`).size;
    const seen = new Set<number>();
    for (let i = 0; i < 40; i++) {
      const copy = copyStore(whole, "store.db");
      truncateSync(`${copy}-wal`, random.below(size + 1));
      const cut = openSqliteStore(copy);
      const { revision } = await cut.status();
      expect(await contents(cut), `seed ${SEED}, revision ${revision}`).toEqual(after.get(revision));
      await cut.close();
      seen.add(revision);
    }
    expect(seen.size).toBeGreaterThan(5);
  });
});

describe("versions of the file", () => {
  const OWN = SCHEMA.version;
  const NEXT: Schema = {
    version: OWN + 1,
    create: SCHEMA.create,
    migrations: { [OWN]: (db) => db.exec("create table extra (x); insert into extra select count(*) from live") },
  };
  const open = (path: string, schema: Schema) => new LocalStore(new SqliteBackend(path, openDatabase(path, schema)));

  test("are brought up to date in one go, and the file as it was stays beside it", async () => {
    const { path, was } = await filledStore();
    const store = open(path, NEXT);
    expect(await everything(store)).toEqual(was);
    await store.txn({ then: [put("new")] });
    await store.close();
    const db = raw(path);
    expect(db.prepare("select x from extra").pluck().get()).toBe(was.contents.length);
    db.close();
    await open(path, NEXT).close();
    expect(statSync(`${path}.v${OWN}`).mode & 0o777).toBe(0o600);
    const before = openSqliteStore(`${path}.v${OWN}`);
    expect(await everything(before)).toEqual(was);
    await before.close();
    expect(readdirSync(join(path, ".."))).not.toContainEqual(expect.stringContaining(".new"));
  });

  test("the first one gets its checksums", async () => {
    const { path, was } = await filledStore();
    const db = raw(path);
    db.exec("alter table meta drop column crc; alter table leases drop column crc");
    db.pragma("user_version = 1");
    db.close();
    const store = openSqliteStore(path);
    expect(await everything(store)).toEqual(was);
    const { lease } = await store.grantLease(60);
    await store.txn({ then: [put("new", "", lease)] });
    await store.close();
    const again = openSqliteStore(path);
    expect((await again.get("new")).entry?.lease).toBe(lease);
    await again.close();
    expect(existsSync(`${path}.v1`)).toBe(true);
  });

  test("stay as they are when it fails", async () => {
    const { path, was } = await filledStore();
    const failing: Schema = {
      ...NEXT,
      migrations: {
        [OWN]: (db) => {
          db.exec("drop table live");
          throw new Error("it fails");
        },
      },
    };
    expect(() => open(path, failing)).toThrow("it fails");
    const store = openSqliteStore(path);
    expect(await everything(store)).toEqual(was);
    await store.close();
  });

  test("that are later, or too old to know a way from, are refused", async () => {
    const { path } = await filledStore();
    expect(() => open(path, { ...NEXT, migrations: {} })).toThrow(refusal("store.format"));
    await open(path, NEXT).close();
    expectRefused(path, "store.format");
    expect(() => openSqliteStore(path)).toThrow(`version ${OWN + 1}, written by a later NFActor`);
    const fresh = join(freshFolder(), "store.db");
    const db = raw(fresh);
    db.pragma(`application_id = ${APPLICATION_ID}`);
    db.close();
    expectRefused(fresh, "store.format");
  });
});

describe("one file, two that want it", () => {
  test("the second in one process is refused, and the first has it still", async () => {
    const path = join(freshFolder(), "store.db");
    const store = openSqliteStore(path);
    await store.txn({ then: [put("a")] });
    for (let i = 0; i < 2; i++) expect(() => openSqliteStore(path)).toThrow(refusal("store.locked"));
    expect(await runsInChild(path)).toMatch(/store\.locked|in use/);
    await store.txn({ then: [put("b")] });
    await store.close();
    const again = openSqliteStore(path);
    expect(await contents(again)).toHaveLength(2);
    await again.close();
  });

  test("another process is refused while one has it, and not when that was killed", async () => {
    const path = join(freshFolder(), "store.db");
    const child = startHolder(path);
    try {
      expect(await child.said).toBe("held\n");
      expect(() => openSqliteStore(path)).toThrow(refusal("store.locked"));
      child.process.kill("SIGSTOP");
      expect(() => openSqliteStore(path)).toThrow(refusal("store.locked"));
    } finally {
      child.process.kill("SIGKILL");
    }
    await child.ended;
    const store = openSqliteStore(path);
    expect((await contents(store)).map((entry) => entry.split("=")[0])).toEqual(["held"]);
    await store.close();
  });
});

describe("a disk without room", () => {
  test("refuses what needs some, half of nothing is there, and it goes on when there is some again", async () => {
    const path = join(freshFolder(), "store.db");
    const db = openDatabase(path);
    const store = new LocalStore(new SqliteBackend(path, db), { clock: new ManualClock() });
    await store.txn({ then: [put("a", "1")] });
    const pages = Number(db.pragma("page_count", { simple: true }));
    db.pragma(`max_page_count = ${pages + 4}`);
    const before = await everything(store);
    const many = Array.from({ length: 20 }, (_, i) => ({ op: "put", key: `big/${i}`, value: bytes("x".repeat(3000)) }) as const);
    await expect(store.txn({ then: many })).rejects.toEqual(refusal("store.full"));
    expect(await everything(store)).toEqual(before);
    await store.txn({ then: [del("a")] });
    db.pragma("max_page_count = 100000");
    await store.txn({ then: many });
    expect(await contents(store)).toHaveLength(20);
    await store.close();
  });
});

test("an addon that is not built, or is none, is said to be that", () => {
  const path = join(freshFolder(), "store.db");
  const before = process.env["NFACTOR_SQLITE"];
  try {
    process.env["NFACTOR_SQLITE"] = `${path}.node`;
    expect(() => openSqliteStore(path)).toThrow(refusal("native.missing"));
    writeFileSync(`${path}.node`, "no addon");
    expect(() => openSqliteStore(path)).toThrow(refusal("native.missing"));
    expect(existsSync(path)).toBe(false);
  } finally {
    if (before === undefined) delete process.env["NFACTOR_SQLITE"];
    else process.env["NFACTOR_SQLITE"] = before;
  }
});

/** What a process says that wants the file, which somebody has. */
async function runsInChild(path: string): Promise<string> {
  const child = startHolder(path);
  child.process.stdin!.end();
  return (await child.said) + (await child.ended);
}
