/**
 * A file that is there whole or not at all: it is written beside its place under another name, and takes its place when all of it is there.
 */
import { closeSync, existsSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { NfError } from "@nfactor/sdk/errors";

export class OutputFile {
  readonly path: string;
  /** Where to write. */
  readonly temporary: string;

  private constructor(path: string, temporary: string) {
    this.path = path;
    this.temporary = temporary;
  }

  /** Checks that the file can be made, before anything runs; throws NfError (capture.write). `not` is a file that must not be overwritten. */
  static prepare(given: string, not?: string): OutputFile {
    const path = resolve(given);
    if (not !== undefined && same(path, not)) throw new NfError("capture.write", `'${given}' is the input too`, { fix: "Give the output another name." });
    if (existsSync(path) && !statSync(path).isFile())
      throw new NfError("capture.write", `'${given}' is there already and is no file`, { fix: "Give the output another name." });
    const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
    try {
      closeSync(openSync(temporary, "w"));
      // Not there until something is written: whoever is interrupted before that leaves nothing.
      rmSync(temporary);
    } catch (cause) {
      const why = { ENOENT: "its folder does not exist", EACCES: "this user may not write there", EROFS: "the file system is read-only" }[
        (cause as NodeJS.ErrnoException).code ?? ""
      ];
      throw new NfError("capture.write", `'${given}' cannot be written: ${why ?? (cause as Error).message}`, {
        cause,
        fix: "Choose another place with --out.",
      });
    }
    return new OutputFile(path, temporary);
  }

  commit(): void {
    renameSync(this.temporary, this.path);
  }

  discard(): void {
    rmSync(this.temporary, { force: true });
  }
}

function same(a: string, b: string): boolean {
  if (!existsSync(a) || !existsSync(b)) return resolve(a) === resolve(b);
  const [one, other] = [statSync(a), statSync(b)];
  return one.dev === other.dev && one.ino === other.ino;
}
