import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { freshFolder } from "../store/testing/folder.ts";
import { BlobStore } from "./blob_store.ts";
import { chunked, sha256 } from "./testing/artifacts.ts";

const never = new AbortController().signal;
const bytes = (text: string): Uint8Array => Buffer.from(text);
const refusal = (code: string, message = /./) => expect.objectContaining({ name: "NfError", code, message: expect.stringMatching(message) as string });
const open = (folder: string, totalBytes = 1_000_000): Promise<BlobStore> => BlobStore.open(folder, { totalBytes });
const options = { what: "the file", bytesMax: 1000, signal: never };
const uploads = (blobs: BlobStore): string[] => readdirSync(join(blobs.folder, "uploads"));

async function put(blobs: BlobStore, text: string) {
  const staged = await blobs.stage(chunked(bytes(text), 3), options);
  const unpin = blobs.pin(staged.digest);
  await blobs.publish(staged);
  unpin();
  return { digest: staged.digest, bytes: staged.bytes, path: join(blobs.folder, "sha256", staged.digest.slice(0, 2), staged.digest) };
}

describe("a blob", () => {
  test("lies under its digest, for its user alone, and is still there for the next process", async () => {
    const folder = join(freshFolder(), "deep/blobs");
    const blobs = await open(folder);
    const blob = await put(blobs, "hello world");
    expect(blob.digest).toBe(sha256(bytes("hello world")));
    expect(readFileSync(blob.path, "utf8")).toBe("hello world");
    expect([statSync(folder).mode & 0o777, statSync(blob.path).mode & 0o777]).toEqual([0o700, 0o600]);
    expect([uploads(blobs), blobs.bytes]).toEqual([[], 11]);
    const again = await open(folder);
    expect(Buffer.from(await again.read(blob)).toString()).toBe("hello world");
    expect([again.bytes, again.list().map(({ digest }) => digest)]).toEqual([11, [blob.digest]]);
  });

  test("of which a bit has flipped, or that has another length, or is gone, is not handed out; the same one takes its place", async () => {
    const blobs = await open(freshFolder());
    const blob = await put(blobs, "hello world");
    const spoils: (() => void)[] = [
      () => {
        const content = readFileSync(blob.path);
        content[4]! ^= 0x10;
        writeFileSync(blob.path, content);
      },
      () => truncateSync(blob.path, 5),
      () => writeFileSync(blob.path, "hello world and more"),
      () => writeFileSync(blob.path, ""),
      () => rmSync(blob.path),
    ];
    for (const spoil of spoils) {
      spoil();
      await expect(blobs.read(blob)).rejects.toEqual(refusal("artifact.damaged", new RegExp(blob.digest)));
      await put(blobs, "hello world");
      expect(Buffer.from(await blobs.read(blob)).toString()).toBe("hello world");
      expect(blobs.bytes).toBe(11);
    }
  });

  test("that is the same as another is kept once", async () => {
    const blobs = await open(freshFolder());
    expect((await put(blobs, "same")).path).toBe((await put(blobs, "same")).path);
    expect([blobs.list().length, blobs.bytes]).toEqual([1, 4]);
  });
});

describe("what comes in", () => {
  test("may not be larger than it may, and leaves nothing then", async () => {
    const blobs = await open(freshFolder());
    let read = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        read += 100;
        yield new Uint8Array(100);
      }
    }
    await expect(blobs.stage(endless(), options)).rejects.toEqual(refusal("artifact.too_large", /the file is larger than 1000 bytes/));
    expect(read).toBe(1100);
    expect((await blobs.stage(chunked(new Uint8Array(1000)), options)).bytes).toBe(1000);
    await expect(blobs.stage(chunked(new Uint8Array(1001), 2000), options)).rejects.toEqual(refusal("artifact.too_large"));
    expect([uploads(blobs).length, blobs.bytes]).toEqual([1, 1000]);
  });

  test("is bounded all together, that which has no name yet included", async () => {
    const blobs = await open(freshFolder(), 20);
    await put(blobs, "0123456789");
    const staged = await blobs.stage(chunked(bytes("abcdefgh")), options);
    await expect(blobs.stage(chunked(bytes("xyz")), options)).rejects.toEqual(refusal("artifact.full", /more than 20 bytes/));
    await blobs.discard(staged);
    await blobs.discard(staged);
    expect(blobs.bytes).toBe(10);
    await put(blobs, "0123456xyz");
    expect(blobs.bytes).toBe(20);
    await expect(put(blobs, "x")).rejects.toEqual(refusal("artifact.full"));
  });

  test("and breaks off leaves nothing", async () => {
    const blobs = await open(freshFolder());
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield bytes("half");
      throw new Error("reset by \u001b[2Jpeer");
    }
    await expect(blobs.stage(broken(), options)).rejects.toEqual(refusal("artifact.aborted", /the file ended before it was whole: reset by \\u\{1b\}\[2Jpeer/));
    expect([uploads(blobs), blobs.bytes]).toEqual([[], 0]);
  });

  test("and never goes on is given up when it is told to", async () => {
    const blobs = await open(freshFolder());
    const abort = new AbortController();
    let isReleased = false;
    const silent: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => abort.abort(new Error("nobody there"))),
        return: () => {
          isReleased = true;
          return Promise.resolve({ done: true, value: undefined });
        },
      }),
    };
    await expect(blobs.stage(silent, { ...options, signal: abort.signal })).rejects.toEqual(refusal("artifact.aborted", /nobody there/));
    expect([isReleased, uploads(blobs)]).toEqual([true, []]);
    // One that was given up before it began is not asked for anything.
    await expect(blobs.stage(silent, { ...options, signal: abort.signal })).rejects.toEqual(refusal("artifact.aborted"));
  });

  test("and was left by a process that ended is gone at the next opening; what is written now stays", async () => {
    const folder = freshFolder();
    const blobs = await open(folder);
    await blobs.stage(chunked(bytes("left")), options);
    writeFileSync(join(folder, "uploads/other"), "x");
    const next = await open(folder);
    expect(uploads(next)).toEqual([]);
    const staged = await next.stage(chunked(bytes("now")), options);
    writeFileSync(join(folder, "uploads/stray.part"), "x");
    expect(await next.sweep()).toBe(1);
    expect(uploads(next).length).toBe(1);
    await next.publish(staged);
  });
});

describe("removal", () => {
  test("takes what is not used, and frees its room", async () => {
    const blobs = await open(freshFolder());
    const blob = await put(blobs, "hello");
    expect(await blobs.removeUnless(blob.digest, async () => true)).toBe(0);
    expect(existsSync(blob.path)).toBe(true);
    expect(await blobs.removeUnless(blob.digest, async () => false)).toBe(5);
    expect([existsSync(blob.path), blobs.bytes, blobs.list()]).toEqual([false, 0, []]);
  });

  test("takes nothing that is pinned, or was while its users were looked for, or is removed already", async () => {
    const blobs = await open(freshFolder());
    const blob = await put(blobs, "hello");
    const unpin = blobs.pin(blob.digest);
    const other = blobs.pin(blob.digest);
    unpin();
    unpin();
    expect(await blobs.removeUnless(blob.digest, async () => false)).toBe(0);
    other();
    const cameAndWent = async (): Promise<boolean> => {
      blobs.pin(blob.digest)();
      return false;
    };
    expect(await blobs.removeUnless(blob.digest, cameAndWent)).toBe(0);
    // A second removal that begins after the pin does not make the first one valid again.
    let second: Promise<number> | undefined;
    const first = blobs.removeUnless(blob.digest, async () => {
      await cameAndWent();
      second = blobs.removeUnless(blob.digest, () => new Promise((done) => setImmediate(done, true)));
      return false;
    });
    expect([await first, await second!, existsSync(blob.path)]).toEqual([0, 0, true]);
    const failing = blobs.removeUnless(blob.digest, () => Promise.reject(new Error("unknown")));
    await expect(failing).rejects.toThrow("unknown");
    expect(await blobs.removeUnless(blob.digest, async () => false)).toBe(5);
  });
});

describe("the folder", () => {
  test("may not be writable by others, nor be something else", async () => {
    const folder = freshFolder();
    chmodSync(folder, 0o777);
    await expect(open(folder)).rejects.toEqual(refusal("host.permission", /can be written by others/));
    const file = join(freshFolder(), "file");
    writeFileSync(file, "");
    await expect(open(file)).rejects.toEqual(refusal("artifact.io"));
    await expect(open(join(file, "blobs"))).rejects.toEqual(refusal("artifact.io"));
  });

  test("is left with what is not its own", async () => {
    const folder = freshFolder();
    const blobs = await open(folder);
    const { digest, path } = await put(blobs, "mine");
    for (const name of ["note", digest.slice(0, 63)]) writeFileSync(join(folder, "sha256", digest.slice(0, 2), name), "not mine");
    mkdirSync(join(folder, "sha256/other"));
    symlinkSync("/nowhere", join(folder, "sha256/link"));
    const again = await open(folder);
    expect(again.list().map((blob) => blob.digest)).toEqual([digest]);
    expect(readdirSync(join(path, "..")).length).toBe(3);
  });

  test("has no path for what is no digest", async () => {
    const blobs = await open(freshFolder());
    await expect((async () => blobs.read({ digest: "../../etc/passwd", bytes: 1 }))()).rejects.toThrow("no digest");
  });
});
