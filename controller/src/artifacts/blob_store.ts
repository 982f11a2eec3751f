/**
 * Blobs: bytes on disk under their SHA-256, `sha256/<2 hex>/<64 hex>`, and those that are still coming in, `uploads/<random>.part`.
 *
 * A blob is written beside the others, hashed as it comes, brought to disk and given its name, whose folder is brought to disk too: under a digest there is the
 * whole of it or nothing. What an ended process has left in `uploads` goes when the folder is opened. Reading compares with the digest first, and
 * hands out nothing that differs.
 *
 * One process has the folder at a time: the one that has the store which says what the blobs are for. Whoever is about to say so holds a pin meanwhile, and
 * a blob is only removed when nobody came to pin it while its users were looked for.
 */
import { createHash, randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { safeText } from "@nfactor/host/text";
import { NfError } from "@nfactor/sdk/errors";
import { FILE_MODE, diskError, makeFolder, onDisk, syncPath } from "./disk.ts";

const BLOB = /^[0-9a-f]{64}$/;

export interface Blob {
  readonly digest: string;
  readonly bytes: number;
}

/** One that is whole and on disk, but has no name yet. */
export interface StagedBlob extends Blob {
  readonly path: string;
}

export interface StageOptions {
  /** What it is, in messages: `the source map`. */
  readonly what: string;
  readonly bytesMax: number;
  readonly signal: AbortSignal;
}

export class BlobStore {
  readonly folder: string;
  readonly #totalMax: number;
  /** Size of each, and since when it has been there: milliseconds of the date. */
  readonly #blobs = new Map<string, { readonly bytes: number; readonly sinceMs: number }>();
  #bytes = 0;
  /** Of files in `uploads`, those that are written or wait for their name. */
  readonly #staged = new Set<string>();
  readonly #pins = new Map<string, number>();
  readonly #removals = new Map<string, symbol>();

  private constructor(folder: string, totalMax: number) {
    this.folder = folder;
    this.#totalMax = totalMax;
  }

  /** Makes the folder when it is missing. Throws NfError (artifact.io, artifact.full, host.permission). */
  static async open(folder: string, { totalBytes }: { readonly totalBytes: number }): Promise<BlobStore> {
    const store = new BlobStore(resolve(folder), totalBytes);
    await onDisk(store.folder, async () => {
      await makeFolder(store.folder);
      await requirePrivate(store.folder);
      for (const name of ["sha256", "uploads"]) await makeFolder(join(store.folder, name));
      await store.sweep();
      await store.#find();
    });
    return store;
  }

  /** Of all there are, and of those that come in. */
  get bytes(): number {
    return this.#bytes;
  }

  list(): (Blob & { readonly sinceMs: number })[] {
    return [...this.#blobs].map(([digest, blob]) => ({ digest, ...blob }));
  }

  /**
   * Takes bytes in as they come. Its caller publishes or discards what it gets. Throws NfError (artifact.too_large, artifact.full, artifact.io,
   * artifact.aborted), and has nothing left then.
   */
  async stage(source: AsyncIterable<Uint8Array>, { what, bytesMax, signal }: StageOptions): Promise<StagedBlob> {
    const path = join(this.folder, "uploads", `${randomBytes(16).toString("hex")}.part`);
    this.#staged.add(path);
    let bytes = 0;
    try {
      const hash = createHash("sha256");
      const file = await onDisk(path, () => open(path, "wx", FILE_MODE));
      try {
        for await (const chunk of abortable(source, what, signal)) {
          if (bytes + chunk.byteLength > bytesMax)
            throw new NfError("artifact.too_large", `${what} is larger than ${bytesMax} bytes`, {
              allowed: `at most ${bytesMax} bytes`,
              fix: "Make it smaller.",
            });
          this.#requireRoom(chunk.byteLength);
          bytes += chunk.byteLength;
          this.#bytes += chunk.byteLength;
          hash.update(chunk);
          await onDisk(path, () => file.writeFile(chunk));
        }
        await onDisk(path, () => file.sync());
      } finally {
        await file.close();
      }
      return { path, bytes, digest: hash.digest("hex") };
    } catch (error) {
      await this.discard({ path, bytes, digest: "" });
      throw error;
    }
  }

  /** Nothing happens when it was published. */
  async discard({ path, bytes }: StagedBlob): Promise<void> {
    if (!this.#staged.delete(path)) return;
    this.#bytes -= bytes;
    // One that resists goes with the next sweep.
    await rm(path, { force: true }).catch(() => undefined);
  }

  /** As it lies on disk. Throws NfError (artifact.damaged, artifact.io). */
  readStaged({ path, digest, bytes }: StagedBlob): Promise<Uint8Array> {
    return readVerified(path, { digest, bytes }, "Push it again.");
  }

  /** Gives it its name; what was there under it, whole or damaged, makes room. Its caller holds a pin. Throws NfError (artifact.io, artifact.full). */
  async publish({ path, bytes, digest }: StagedBlob): Promise<void> {
    const final = this.#path(digest);
    await onDisk(final, async () => {
      await makeFolder(dirname(final));
      await rename(path, final);
    });
    this.#staged.delete(path);
    this.#bytes -= this.#blobs.get(digest)?.bytes ?? 0;
    this.#blobs.set(digest, { bytes, sinceMs: Date.now() });
    await onDisk(final, () => syncPath(dirname(final)));
  }

  /** Its bytes, which are those of its digest. Throws NfError (artifact.damaged, artifact.io). */
  read(blob: Blob): Promise<Uint8Array> {
    return readVerified(this.#path(blob.digest), blob, "Push the same build of the NF once more: it takes its place.");
  }

  /** Until the returned function is called, nobody removes the blob, whether it is there yet or not. */
  pin(digest: string): () => void {
    this.#removals.delete(digest);
    this.#pins.set(digest, (this.#pins.get(digest) ?? 0) + 1);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const left = this.#pins.get(digest)! - 1;
      if (left > 0) this.#pins.set(digest, left);
      else this.#pins.delete(digest);
    };
  }

  /** Removes it unless it is used, or pinned before that is known. Returns the bytes that became free. */
  async removeUnless(digest: string, isUsed: () => Promise<boolean>): Promise<number> {
    if (this.#pins.has(digest) || this.#removals.has(digest)) return 0;
    const removal = Symbol();
    this.#removals.set(digest, removal);
    try {
      if (await isUsed()) return 0;
      // Nothing is waited for from here on. A pin has ended the removal, also one that is gone again.
      if (this.#removals.get(digest) !== removal) return 0;
      rmSync(this.#path(digest), { force: true });
      const { bytes } = this.#blobs.get(digest) ?? { bytes: 0 };
      this.#blobs.delete(digest);
      this.#bytes -= bytes;
      return bytes;
    } catch (error) {
      throw diskError(this.#path(digest), error);
    } finally {
      if (this.#removals.get(digest) === removal) this.#removals.delete(digest);
    }
  }

  /** Removes what nobody writes any more. Returns how many there were. */
  async sweep(): Promise<number> {
    const folder = join(this.folder, "uploads");
    return onDisk(folder, async () => {
      const left = (await readdir(folder)).map((name) => join(folder, name)).filter((path) => !this.#staged.has(path));
      for (const path of left) await rm(path, { force: true, recursive: true });
      return left.length;
    });
  }

  async #find(): Promise<void> {
    const all = join(this.folder, "sha256");
    // What else somebody has put there is left alone.
    for (const two of await readdir(all)) {
      if (!/^[0-9a-f]{2}$/.test(two)) continue;
      for (const digest of await readdir(join(all, two))) {
        if (!BLOB.test(digest) || !digest.startsWith(two)) continue;
        const { size, mtimeMs } = await stat(join(all, two, digest));
        this.#blobs.set(digest, { bytes: size, sinceMs: mtimeMs });
        this.#bytes += size;
      }
    }
  }

  #requireRoom(bytes: number): void {
    if (this.#bytes + bytes <= this.#totalMax) return;
    throw new NfError("artifact.full", `all artifacts together would have more than ${this.#totalMax} bytes`, {
      allowed: `${this.#totalMax} bytes, of which ${this.#bytes} are taken`,
      fix: "Delete versions that nobody needs, or raise the bound.",
    });
  }

  #path(digest: string): string {
    if (!BLOB.test(digest)) throw new Error("this is no digest");
    return join(this.folder, "sha256", digest.slice(0, 2), digest);
  }
}

async function readVerified(path: string, { digest, bytes }: Blob, fix: string): Promise<Uint8Array> {
  const damaged = (why: string): NfError => new NfError("artifact.damaged", `the blob sha256:${digest} ${why}`, { given: path, fix });
  try {
    // Looked at first: a file that has grown may be of any size.
    const { size } = await stat(path);
    const content = size === bytes ? await readFile(path) : undefined;
    if (content && createHash("sha256").update(content).digest("hex") === digest) return content;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") throw damaged("is missing");
    throw diskError(path, error);
  }
  throw damaged("is damaged");
}

/** Nobody else may put files there. */
async function requirePrivate(path: string): Promise<void> {
  const { uid, mode } = await stat(path);
  const wrong = uid !== (process.getuid?.() ?? 0) ? `belongs to user ${uid}` : (mode & 0o022) !== 0 ? "can be written by others" : undefined;
  if (wrong)
    throw new NfError("host.permission", `${path} ${wrong}: artifacts from there could be anybody's`, {
      allowed: "a folder that this user alone can write",
      fix: `Give it to the user that runs the controller, with 'chmod 700', or name another one.`,
    });
}

/** The chunks of `source`, as long as `signal` lets it go on: one that never says anything more is not waited for. Throws NfError (artifact.aborted). */
async function* abortable(source: AsyncIterable<Uint8Array>, what: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  let fail: (cause: unknown) => void = () => undefined;
  const stop = (): void => fail(signal.reason);
  signal.addEventListener("abort", stop);
  let isOver = false;
  try {
    for (;;) {
      const next = await new Promise<IteratorResult<Uint8Array>>((done, reject) => {
        fail = (cause) => reject(cause instanceof NfError ? cause : aborted(what, cause));
        if (signal.aborted) stop();
        else iterator.next().then(done, fail);
      });
      if (next.done === true) {
        isOver = true;
        return;
      }
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", stop);
    // It may be waiting for its next chunk, and so is not waited for itself.
    if (!isOver) void iterator.return?.().catch(() => undefined);
  }
}

/** As what an upload fails that its sender, or its time, ended. */
export const aborted = (what: string, cause: unknown): NfError =>
  new NfError("artifact.aborted", `${what} ended before it was whole: ${cause instanceof Error ? safeText(cause.message) : "no reason was given"}`, {
    cause,
    fix: "Push it again.",
  });
