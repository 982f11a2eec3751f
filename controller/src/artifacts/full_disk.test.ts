import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { freshFolder } from "../store/testing/folder.ts";
import { artifactOf } from "./testing/artifacts.ts";

const REGISTER = resolve(import.meta.dirname, "../../../sdk/register.mjs");
const CHILD = join(import.meta.dirname, "testing/full_child.ts");
/** A mount of its own, in a namespace that ends with the command. */
const own = process.getuid?.() === 0 ? ["--mount"] : ["--user", "--map-root-user", "--mount"];
const mayMount = spawnSync("unshare", [...own, "sh", "-c", "mount -t tmpfs -o size=64k tmpfs /mnt"]).status === 0;
if (!mayMount) console.warn("SKIPPED: a full disk needs a file system of its own, which this user may not mount here");

test.skipIf(!mayMount)("a disk that is full refuses an upload, keeps nothing of it, and takes the next one that fits", async () => {
  const folder = freshFolder();
  const [disk, file] = [join(folder, "disk"), join(folder, "nf.wasm")];
  mkdirSync(disk);
  writeFileSync(file, await artifactOf());
  const script = 'mount -t tmpfs -o size=128k,mode=700 tmpfs "$1" && shift && exec "$@"';
  const node = [process.execPath, "--import", REGISTER, CHILD, disk, file];
  const { stdout, stderr, status } = spawnSync("unshare", [...own, "sh", "-c", script, "sh", disk, ...node], { encoding: "utf8", timeout: 100_000 });
  expect([stderr, status]).toEqual(["", 0]);
  const { full, fits, sizes } = JSON.parse(stdout) as Record<"full" | "fits", { said: string; files: number; bytes: number }> & { sizes: number[] };
  expect(full).toMatchObject({ said: expect.stringMatching(/^error\[artifact\.full\]: there is no room on the disk/) as string, files: 0, bytes: 0 });
  expect(fits).toMatchObject({ said: "created: true", files: 2 });
  expect(sizes.reduce((a, b) => a + b)).toBe(fits.bytes);
});
