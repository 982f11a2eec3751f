/** Files that are there as a whole or not at all, also after the machine has lost its power; and what the disk says, as errors of ours. */
import { mkdir, open } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { NfError } from "@nfactor/sdk/errors";

/** For its user alone: what is in there is a tenant's. */
export const FOLDER_MODE = 0o700;
export const FILE_MODE = 0o600;

const NO_ROOM = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** Runs what uses the disk. Throws NfError (artifact.full, artifact.io). */
export async function onDisk<T>(path: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    throw diskError(path, error);
  }
}

export function diskError(path: string, error: unknown): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (error instanceof NfError || syscall === undefined) return error;
  if (code !== undefined && NO_ROOM.has(code))
    return new NfError("artifact.full", `there is no room on the disk of ${path}`, { cause: error, fix: "Free some, or delete versions. Nothing was kept." });
  return new NfError("artifact.io", `${path} cannot be made, read or written: ${message}`, {
    cause: error,
    fix: "See to the disk and to the rights on the folder.",
  });
}

/** The names in a folder, or a file's content, to disk. */
export async function syncPath(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** With those above it that are missing. Returns when all their names are on disk. */
export async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: FOLDER_MODE });
  if (first === undefined) return;
  for (let made = resolve(path); ; made = dirname(made)) {
    await syncPath(dirname(made));
    if (made === resolve(first)) return;
  }
}
