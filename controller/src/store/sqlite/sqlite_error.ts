/** Errors of SQLite and of the file system as ours: what happened to the file, and what to do about it. */
import Database from "better-sqlite3";
import { NfError } from "@nfactor/sdk/errors";
import { addonDoesNotLoad } from "./addon.ts";

export const damaged = (path: string, why: string, cause?: unknown): NfError =>
  new NfError("store.damaged", `the store ${path} is damaged: ${why}`, {
    cause,
    fix: `Nothing was changed. Keep ${path} and ${path}-wal for examination, and put a copy made before in their place, or begin with an empty store.`,
  });

const ioError = (path: string, why: string, cause: unknown): NfError =>
  new NfError("store.io", `the store ${path} cannot be made, read or written: ${why}`, {
    cause,
    fix: "See to the disk and to the rights on the file and its folder, then open the store again.",
  });

const is = ({ code }: InstanceType<typeof Database.SqliteError>, ...names: readonly string[]): boolean =>
  names.some((name) => code === name || code.startsWith(`${name}_`));

/** Somebody else has the file, or a lock on it. */
export const isInUse = (error: unknown): boolean => error instanceof Database.SqliteError && is(error, "SQLITE_BUSY", "SQLITE_LOCKED");

export function storeError(path: string, error: unknown): unknown {
  if (error instanceof Error && (error as NodeJS.ErrnoException).code === "ERR_DLOPEN_FAILED") return addonDoesNotLoad(error);
  if (error instanceof Error && (error as NodeJS.ErrnoException).syscall !== undefined) return ioError(path, error.message, error);
  if (!(error instanceof Database.SqliteError)) return error;
  const { code, message } = error;
  if (isInUse(error))
    return new NfError("store.locked", `the store ${path} is in use, by another process or by this one`, {
      cause: error,
      fix: "Close it there, or name another file: a file is open once.",
    });
  if (is(error, "SQLITE_NOTADB"))
    return new NfError("store.format", `${path} is no store of NFActor's`, { cause: error, fix: "Name another file; this one was left as it is." });
  if (is(error, "SQLITE_FULL"))
    return new NfError("store.full", `there is no room on the disk of the store ${path}`, {
      cause: error,
      fix: "Free some. The transaction was not carried out.",
    });
  if (is(error, "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_NOMEM", "SQLITE_AUTH", "SQLITE_NOLFS"))
    return ioError(path, `${message} (${code})`, error);
  return damaged(path, `${message} (${code})`, error);
}

/** Runs what uses SQLite. Throws NfError of the area `store`. */
export function sqlite<T>(path: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw storeError(path, error);
  }
}
