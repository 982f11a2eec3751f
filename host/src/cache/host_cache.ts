/**
 * A cache on disk that only this user's hosts can fill: native code of modules, and verdicts of admission.
 *
 * Native code runs without any check once it is loaded, so each file carries a MAC under a key that never leaves the user's cache folder; a file
 * that does not verify counts as missing. The MAC covers the kind and the key of the entry too: no entry can be passed off as another.
 * Without a place to write, nothing is cached.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import {
  closeSync,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { NfError } from "@nfactor/sdk/errors";

export type CacheKind = "native" | "admission";

const MAC_BYTES = 32;
const KEY_BYTES = 32;
/** Kept of each kind; the least recently used ones go first. */
const ENTRIES_MAX = 200;
const ENTRY_BYTES_MAX = 64 << 20;

export class HostCache {
  readonly folder: string;
  readonly #key: Buffer;

  private constructor(folder: string, key: Buffer) {
    this.folder = folder;
    this.#key = key;
  }

  /** Undefined where nothing can be written. Throws NfError (host.permission) when the folder or the key is open to others. */
  static open(folder = defaultFolder()): HostCache | undefined {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      for (const kind of ["native", "admission"]) mkdirSync(join(folder, kind), { recursive: true, mode: 0o700 });
    } catch {
      return undefined;
    }
    requirePrivate(folder);
    const key = readKey(folder);
    return key && new HostCache(folder, key);
  }

  get(kind: CacheKind, key: string): Buffer | undefined {
    const path = this.#path(kind, key);
    try {
      if (statSync(path).size > ENTRY_BYTES_MAX + MAC_BYTES) return undefined;
      const file = readFileSync(path);
      const body = file.subarray(MAC_BYTES);
      const mac = file.subarray(0, MAC_BYTES);
      if (mac.length !== MAC_BYTES || !timingSafeEqual(mac, this.#mac(kind, key, body))) return undefined;
      const now = new Date();
      utimesSync(path, now, now);
      return body;
    } catch {
      return undefined;
    }
  }

  /** Keeps `body`; a cache that cannot be written is no error. */
  put(kind: CacheKind, key: string, body: Uint8Array): void {
    if (body.length > ENTRY_BYTES_MAX) return;
    const path = this.#path(kind, key);
    const temporary = `${path}.${process.pid}.tmp`;
    try {
      writeFileSync(temporary, Buffer.concat([this.#mac(kind, key, body), body]), { mode: 0o600 });
      renameSync(temporary, path);
      this.#prune(kind);
    } catch {
      rmSync(temporary, { force: true });
    }
  }

  #prune(kind: CacheKind): void {
    const folder = join(this.folder, kind);
    const files = readdirSync(folder).map((name) => ({ path: join(folder, name), usedMs: statSync(join(folder, name)).mtimeMs }));
    files.sort((a, b) => b.usedMs - a.usedMs);
    for (const { path } of files.slice(ENTRIES_MAX)) rmSync(path, { force: true });
  }

  #path(kind: CacheKind, key: string): string {
    if (!/^[\w.-]{1,200}$/.test(key)) throw new Error(`'${key}' is no cache key`);
    return join(this.folder, kind, key);
  }

  #mac(kind: CacheKind, key: string, body: Uint8Array): Buffer {
    return createHmac("sha256", this.#key).update(`nfactor cache 1\n${kind}\n${key}\n`).update(body).digest();
  }
}

function defaultFolder(): string {
  const base = process.env.XDG_CACHE_HOME;
  return join(base?.startsWith("/") ? base : join(homedir(), ".cache"), "nfactor");
}

function requirePrivate(path: string): void {
  const stat = lstatSync(path);
  const uid = process.getuid?.() ?? 0;
  const wrong = stat.isSymbolicLink()
    ? "is a link"
    : stat.uid !== uid
      ? `belongs to user ${stat.uid}`
      : (stat.mode & 0o022) !== 0
        ? "can be written by others"
        : undefined;
  if (wrong) throw new NfError("host.permission", `${path} ${wrong}: native code from there could be anybody's`, { fix: `Remove ${path}; it is made again.` });
}

/** The host key: made once, by whoever comes first. */
function readKey(folder: string): Buffer | undefined {
  const path = join(folder, "host.key");
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const file = openSync(path, "r");
      try {
        const { uid, mode } = fstatSync(file);
        if (uid !== (process.getuid?.() ?? 0) || (mode & 0o077) !== 0) {
          throw new NfError("host.permission", `${path} is readable by others: whoever knows the key can forge native code`, {
            fix: `Remove ${path}; a new key is made.`,
          });
        }
        const key = readFileSync(file);
        if (key.length === KEY_BYTES) return key;
        rmSync(path, { force: true });
      } finally {
        closeSync(file);
      }
    } catch (error) {
      if (error instanceof NfError) throw error;
    }
    // Link, not rename: of two hosts that start at once, the second one takes the key of the first.
    const temporary = `${path}.${process.pid}.tmp`;
    try {
      writeFileSync(temporary, randomBytes(KEY_BYTES), { mode: 0o600, flag: "wx" });
      linkSync(temporary, path);
    } catch {
      // Somebody was faster, or nothing can be written: the next attempt tells.
    } finally {
      rmSync(temporary, { force: true });
    }
  }
  try {
    const key = readFileSync(path);
    return key.length === KEY_BYTES ? key : undefined;
  } catch {
    return undefined;
  }
}
