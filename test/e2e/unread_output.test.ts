/** A supervisor whose messages nobody reads, as those of a terminal that was stopped: it repairs all the same. Needs root, as CI has. */
import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LiveHost } from "../../scripts/lib/live_host.ts";
import { NetworkLab } from "../../scripts/lib/network_lab.ts";
import { describeAsRoot } from "./testing/labs.ts";
import { Members, isWhole, pidOf } from "./testing/members.ts";

/** A pipe that takes nothing until it is read. */
class FullPipe {
  readonly #path: string;
  readonly #reader: number;
  /** For a child: who writes to it waits. */
  readonly writer: number;

  constructor(path: string) {
    this.#path = path;
    execFileSync("mkfifo", [path]);
    this.#reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.writer = openSync(path, constants.O_WRONLY);
    this.fill();
  }

  fill(): void {
    const filler = openSync(this.#path, constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      for (;;) writeSync(filler, ".".repeat(4096));
    } catch {
      // It is full.
    } finally {
      closeSync(filler);
    }
  }

  read(): string {
    const bytes = Buffer.alloc(1 << 20);
    try {
      return bytes.toString("utf8", 0, readSync(this.#reader, bytes));
    } catch {
      return "";
    }
  }

  close(): void {
    for (const fd of [this.#reader, this.writer]) closeSync(fd);
  }
}

describeAsRoot("a supervisor to whom nobody listens", () => {
  let lab: NetworkLab;
  let pipe: FullPipe;
  beforeEach(() => {
    lab = new NetworkLab();
    pipe = new FullPipe(join(lab.folder, "messages"));
  });
  afterEach(() => {
    pipe.close();
    lab.close();
  });

  test("starts, replaces runtimes that die, says so when somebody listens, and ends without being read", async () => {
    const host = await LiveHost.start(lab, "unread", ["--chain", "flow_monitor", "--runtimes", "2", "--processes"], pipe.writer);
    const members = new Members(host);
    for (const runtime of [1, 2]) {
      const pid = pidOf(await members.all(), runtime);
      process.kill(pid, "SIGKILL");
      await members.until(`runtime ${runtime} comes back`, (all) => isWhole(all) && pidOf(all, runtime) !== pid);
    }
    let text = "";
    for (let i = 0; i < 200 && !/runtime 1 .*has died[^]*runtime 2 .*has died/.test(text); i++) {
      text += pipe.read();
      await pause(20);
    }
    expect(text).toMatch(/runtime 1 .*has died[^]*runtime 2 .*has died/);
    pipe.fill();
    const { runtimes } = await host.stop();
    expect(runtimes?.map(({ restarts }) => restarts)).toEqual([0, 1, 1]);
  }, 60_000);
});
