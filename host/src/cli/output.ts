/**
 * What a command says: results on stdout, everything else on stderr. With --json stdout gets exactly one object, at the end, whether the command
 * succeeded or not; with `-o yaml` the same one as YAML.
 */
import { writeSync } from "node:fs";
import { stringify } from "yaml";
import { NfError } from "@nfactor/sdk/errors";
import { type ErrorJson, errorJson } from "../rpc/protocol.ts";
import { EXIT, exitCodeOf } from "./exit_codes.ts";
import type { UnwaitedOutput } from "./unwaited_output.ts";

export const FORMATS = ["table", "json", "yaml"] as const;
let machineFormat: "json" | "yaml" = "json";

/** How objects are written by this process, where they are asked for. */
export function setMachineFormat(format: "json" | "yaml"): void {
  machineFormat = format;
}

export const isYaml = (): boolean => machineFormat === "yaml";

/** One object as a line of JSON, or as a document of YAML. */
export function machineText(object: object): string {
  return machineFormat === "json" ? `${JSON.stringify(object)}\n` : `---\n${stringify(object)}`;
}

export class Output {
  readonly json: boolean;
  readonly #said: Pick<UnwaitedOutput, "write">;

  /** `said`: where lines go about what is going on, when nobody is to wait until they are read. */
  constructor(json: boolean, said: Pick<UnwaitedOutput, "write"> = { write: (text) => writeAll(2, text) }) {
    this.json = json;
    this.#said = said;
  }

  /** The command's result: `object` with --json, else `text`. */
  result(object: object, text: string): void {
    writeAll(1, this.json ? machineText(object) : text === "" ? "" : `${text}\n`);
  }

  /** A line about what is going on. */
  note(text: string): void {
    this.write(`${text}\n`);
  }

  /** Progress, as it is. */
  write(text: string): void {
    this.#said.write(text);
  }
}

/** Prints an error and returns the exit code that goes with it. */
export function reportError(error: unknown, json: boolean): number {
  if (error instanceof NfError) {
    // What was given is part of the message, unless it is too long for a sentence.
    const table = error.given?.includes("\n") ? `\n${error.given.replaceAll(/^/gm, "  ")}` : "";
    writeAll(2, `${error.format()}${table}\n`);
  } else {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    writeAll(2, `error[internal]: this is a bug in NFActor, please report it.\n${stack}\n`);
  }
  if (json) writeAll(1, machineText({ error: errorJson(error) satisfies ErrorJson }));
  return error instanceof NfError ? exitCodeOf(error.code) : EXIT.failure;
}

/**
 * Writes everything before it returns, so that a process.exit after it loses nothing. A reader that went away is no error of ours; and nothing ends because
 * nobody can be told of it: what stderr does not take, on a full disk or a terminal that is gone, is lost.
 */
export function writeAll(fd: 1 | 2, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EPIPE" || (fd === 2 && code !== "EAGAIN")) return;
      if (code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}
