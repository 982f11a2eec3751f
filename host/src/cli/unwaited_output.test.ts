import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { UnwaitedOutput } from "./unwaited_output.ts";

let folder: string;
let [reader, writer] = [-1, -1];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nfa-output-"));
  const path = join(folder, "pipe");
  execFileSync("mkfifo", [path]);
  reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  // As a shell makes it: whoever writes to it waits.
  writer = openSync(path, constants.O_WRONLY);
});
afterEach(() => {
  for (const fd of [reader, writer]) closeSync(fd);
  rmSync(folder, { recursive: true });
});

/** What is in the pipe. */
function read(): string {
  const bytes = Buffer.alloc(1 << 20);
  try {
    return bytes.toString("utf8", 0, readSync(reader, bytes));
  } catch {
    return "";
  }
}

test("a pipe that nobody reads holds nobody up: what it does not take waits within a bound, and what was dropped is counted where it was", async () => {
  const output = new UnwaitedOutput(writer);
  const said = 20_000;
  for (let i = 0; i < said; i++) output.write(`message ${i} ${"x".repeat(80)}\n`);
  let text = "";
  while (!text.includes("were dropped here")) {
    text += read();
    await pause(1);
  }
  const lines = text.trimEnd().split("\n");
  const gap = /^([\d,]+) messages were dropped here: nobody read them$/.exec(lines.at(-1)!);
  const dropped = Number(gap![1]!.replaceAll(",", ""));
  const taken = lines.slice(0, -1);
  expect(taken.length + dropped).toBe(said);
  expect(taken.map((line) => line.split(" ")[1])).toEqual(taken.map((_, i) => String(i)));
  // The pipe's 64 KiB, and the bound.
  expect(text.length).toBeGreaterThan(256 << 10);
  expect(text.length).toBeLessThan(400 << 10);
  output.write("and on it goes\n");
  expect(read()).toBe("and on it goes\n");
});

test("at its end what waits is given to a reader who comes, and nobody waits for one who does not", async () => {
  const output = new UnwaitedOutput(writer);
  for (let i = 0; i < 1000; i++) output.write(`message ${i} ${"x".repeat(80)}\n`);
  let text = "";
  let isOver = false;
  const ended = output.end().then(() => (isOver = true));
  while (!isOver) {
    text += read();
    await pause(1);
  }
  await ended;
  expect((text + read()).match(/message \d+/g)).toHaveLength(1000);
  for (let i = 0; i < 1000; i++) output.write(`message ${i} ${"x".repeat(80)}\n`);
  await output.end();
});

test("a reader that has gone, and an output that is none, are no error", async () => {
  const output = new UnwaitedOutput(writer);
  closeSync(reader);
  output.write("to nobody\n");
  await output.end();
  reader = openSync(join(folder, "pipe"), constants.O_RDONLY | constants.O_NONBLOCK);
  const nowhere = new UnwaitedOutput(1_000_000);
  nowhere.write("nowhere\n");
  await nowhere.end();
});
