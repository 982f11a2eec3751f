/** For tests only: the nfactor command as a user runs it, in a folder and with a cache of its own. */
import { spawn } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NFACTOR } from "../package.ts";

export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

export class Cli {
  /** Working directory; gone after `remove`. */
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), "nfa-cli-")));
  readonly #env: NodeJS.ProcessEnv;

  constructor(env: NodeJS.ProcessEnv = {}) {
    // The runtime folder is our own, so that no other host on this machine is found; the cache is shared, as it is in real life.
    this.#env = { ...process.env, XDG_RUNTIME_DIR: this.folder, NO_COLOR: "1", ...env };
    delete this.#env.NODE_OPTIONS;
    delete this.#env.VITEST;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  spawn(args: readonly string[]): ReturnType<typeof spawn> {
    return spawn(process.execPath, [NFACTOR, ...args], { cwd: this.folder, env: this.#env, stdio: ["ignore", "pipe", "pipe"] });
  }

  run(...args: string[]): Promise<Ran> {
    return finished(this.spawn(args));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function finished(child: ReturnType<typeof spawn>): Promise<Ran> {
  return new Promise((done, fail) => {
    let [stdout, stderr] = ["", ""];
    child.stdout!.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr!.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.on("error", fail);
    child.on("close", (code) => done({ code, stdout, stderr }));
  });
}
