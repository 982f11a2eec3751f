/** A process that has a store's file, or is refused it. */
import { type ChildProcess, spawn } from "node:child_process";
import { resolve } from "node:path";

export interface Holder {
  readonly process: ChildProcess;
  /** `held\n`, or what it was refused with. */
  readonly said: Promise<string>;
  /** What it wrote to stderr until it ended. */
  readonly ended: Promise<string>;
}

/** It has the file until its input ends. */
export function startHolder(path: string): Holder {
  const register = resolve(import.meta.dirname, "../../../../sdk/register.mjs");
  const script = resolve(import.meta.dirname, "holder_child.ts");
  const child = spawn(process.execPath, ["--import", register, script, path], { stdio: ["pipe", "pipe", "pipe"] });
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const ended = new Promise<string>((done) => child.on("close", () => done(errors)));
  const said = Promise.race([new Promise<string>((done) => child.stdout.once("data", (chunk: Buffer) => done(chunk.toString()))), ended]);
  return { process: child, said, ended };
}
