/**
 * The file of a store: made, checked, brought up to date, and held by one process.
 *
 * It comes into being as a whole, by a link to a finished file. An existing one is looked at through a connection that cannot write, before one that can is
 * opened: SQLite would carry over its log when it closes a file, damaged or not. The lock is SQLite's own on the file; the kernel takes it back when the
 * process dies. So nothing else in this process may open the file: the kernel gives a process's locks up when any of its descriptors of it is closed.
 */
import { closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname, resolve } from "node:path";
import Database from "better-sqlite3";
import { NfError } from "@nfactor/sdk/errors";
import { sqliteAddon } from "./addon.ts";
import { contradiction } from "./consistency.ts";
import { APPLICATION_ID, SCHEMA, type Schema } from "./schema.ts";
import { damaged, isInUse, sqlite } from "./sqlite_error.ts";

/** Somebody else may be looking at the file, who is gone in a moment, or be about to die. */
const PATIENCE_MS = 300;
/** The longest time between two tries to get the lock. */
const PAUSE_MS = 20;
const FILES = ["", "-wal", "-shm", "-journal"];

const removeFiles = (path: string): void => FILES.forEach((end) => rmSync(path + end, { force: true }));

function connect(path: string, readonly: boolean, timeout = PATIENCE_MS): Database.Database {
  const db = new Database(path, { readonly, fileMustExist: true, timeout, nativeBinding: sqliteAddon() });
  db.pragma("trusted_schema = off");
  db.pragma("cell_size_check = on");
  return db;
}

/** The open database. Throws NfError (store.locked, store.format, store.damaged, store.io, store.full, native.missing), and leaves the file as it was. */
export function openDatabase(file: string, schema: Schema = SCHEMA): Database.Database {
  const path = resolve(file);
  return sqlite(path, () => {
    if (!existsSync(path)) create(path, schema);
    examine(path, schema);
    const db = hold(path);
    try {
      // Of the connection before; one that is alone needs none.
      rmSync(`${path}-shm`, { force: true });
      migrate(path, db, schema);
      return db;
    } catch (error) {
      db.close();
      throw error;
    }
  });
}

/**
 * A connection that has the lock, which no other one gets until this one is closed. One that tries has a lock that it shares with others first, and keeps it
 * for as long as SQLite waits: two that wait so keep each other out until both give up. So each try is a connection of its own, and the times between tries
 * are random, so that those who have met once do not meet always. Patience is what was waited, not what the clock says: who was not given a CPU tries on.
 */
function hold(path: string): Database.Database {
  let waitedMs = 0;
  for (;;) {
    const db = connect(path, false, 0);
    try {
      takeLock(db);
      return db;
    } catch (error) {
      db.close();
      if (!isInUse(error) || waitedMs >= PATIENCE_MS) throw error;
    }
    const pauseMs = 1 + Math.random() * PAUSE_MS;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
    waitedMs += pauseMs;
  }
}

/** Everything goes to disk before a transaction has taken place; the first one takes the lock. */
function takeLock(db: Database.Database): void {
  db.pragma("locking_mode = exclusive");
  db.pragma("journal_mode = wal");
  db.pragma("synchronous = full");
  db.pragma(`journal_size_limit = ${64 * 1024 * 1024}`);
  db.exec("begin exclusive; commit");
}

function create(path: string, schema: Schema): void {
  // In this order: when somebody else makes the file just now, its log comes after it.
  if (existsSync(`${path}-wal`) && !existsSync(path))
    throw new NfError("store.damaged", `${path} is gone, its log ${path}-wal is there`, {
      fix: "Put the file back that the log belongs to. If there is none, move the log away to begin with an empty store.",
    });
  const temporary = `${path}.${process.pid}.new`;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  makeEmpty(temporary);
  try {
    const db = connect(temporary, false);
    try {
      db.pragma("synchronous = full");
      db.pragma(`application_id = ${APPLICATION_ID}`);
      db.exec(`begin; ${schema.create} pragma user_version = ${schema.version}; commit`);
      db.pragma("journal_mode = wal");
    } finally {
      db.close();
    }
    linkSync(temporary, path);
    sync(dirname(path));
  } catch (error) {
    // Somebody else has just made it.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    removeFiles(temporary);
  }
}

/** For its user alone, which SQLite would not see to. */
function makeEmpty(path: string): void {
  removeFiles(path);
  closeSync(openSync(path, "wx", 0o600));
}

/** A file, or a folder with the names in it. */
function sync(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Throws NfError when it is not a whole store of a version that is known. */
function examine(path: string, schema: Schema): void {
  const db = connect(path, true);
  try {
    const [id, version] = ["application_id", "user_version"].map((name) => Number(db.pragma(name, { simple: true })));
    if (id !== APPLICATION_ID)
      throw new NfError("store.format", `${path} is no store of NFActor's`, {
        fix: "Name another file; this one was left as it is. An empty file has to be removed first.",
      });
    requireKnown(path, version!, schema);
    // The long one: the short one does not compare indexes with what they are about.
    const check = db.pragma("integrity_check(1)", { simple: true });
    if (check !== "ok") throw damaged(path, String(check));
    const why = version === schema.version ? contradiction(path, db) : undefined;
    if (why) throw damaged(path, why);
  } finally {
    db.close();
  }
}

function requireKnown(path: string, version: number, schema: Schema): void {
  for (let from = version; from < schema.version; from++) {
    if (!schema.migrations[from])
      throw new NfError("store.format", `the store ${path} is of version ${version}, from which this NFActor knows no way to its own`, {
        given: String(version),
        allowed: `version ${schema.version}`,
        fix: "Open it with an NFActor in between first. Nothing was changed.",
      });
  }
  if (version > schema.version)
    throw new NfError("store.format", `the store ${path} is of version ${version}, written by a later NFActor`, {
      given: String(version),
      allowed: `up to version ${schema.version}`,
      fix: "Use that NFActor. Nothing was changed.",
    });
}

/** A copy of the file as it was stays beside it, for the way back to the NFActor before. Throws NfError (store.format, store.io). */
function migrate(path: string, db: Database.Database, schema: Schema): void {
  // Anew, under the lock: another process may have done it since the file was examined, to this version or to a later one.
  const from = Number(db.pragma("user_version", { simple: true }));
  requireKnown(path, from, schema);
  if (from === schema.version) return;
  const copy = `${path}.v${from}`;
  const temporary = `${copy}.${process.pid}.new`;
  makeEmpty(temporary);
  db.prepare("vacuum into ?").run(temporary);
  sync(temporary);
  renameSync(temporary, copy);
  sync(dirname(path));
  db.transaction(() => {
    for (let version = from; version < schema.version; version++) schema.migrations[version]!(db);
    db.pragma(`user_version = ${schema.version}`);
    const why = contradiction(path, db);
    if (why) throw damaged(path, why);
  })();
}
