/** For tests only: nfactor's commands in this process, where a hundred of them take no time; a test's file has to replace writeSync, see testing_writes.ts. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main } from "@nfactor/host/cli";
import { writeContexts } from "./context_file.ts";
import { createClusterProgram } from "./program.ts";
import type { Captured } from "./testing_writes.ts";

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A user with a configuration of their own, in a folder of their own. */
export class User {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), "nfa-user-")));
  readonly #written: Captured;
  readonly #before = { ...process.env };

  constructor(written: Captured) {
    this.#written = written;
    // No run of this machine is found, and no context of its user.
    Object.assign(process.env, { XDG_CONFIG_HOME: this.folder, XDG_RUNTIME_DIR: this.folder, NO_COLOR: "1" });
    for (const name of ["NFACTOR_API", "NFACTOR_TOKEN", "NFACTOR_TENANT", "NFACTOR_CONTEXT"]) delete process.env[name];
  }

  knows(api: string, more: { token?: string; tenant?: string } = {}): void {
    writeContexts({ current: "test", contexts: { test: { api, ...more } } });
  }

  async run(...args: string[]): Promise<Ran> {
    const written = this.#written;
    [written[1], written[2]] = ["", ""];
    process.exitCode = 0;
    await main(args, createClusterProgram);
    const code = Number(process.exitCode ?? 0);
    process.exitCode = 0;
    return { code, stdout: written[1], stderr: written[2] };
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  remove(): void {
    for (const name of ["XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"]) {
      if (this.#before[name] === undefined) delete process.env[name];
      else process.env[name] = this.#before[name];
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
