/** Integers out of the bytes of a file, in the file's byte order; reading past the end is `capture.truncated`, with the offset. */
import { NfError } from "../errors.ts";

export class FileBytes {
  readonly bytes: Uint8Array;
  /** How messages name the file. */
  readonly file: string;
  readonly #view: DataView;
  bigEndian = false;

  constructor(bytes: Uint8Array, file: string) {
    // A plain view, whatever kind of Buffer came.
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.file = file;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.bytes.length;
  }

  u16(at: number): number {
    return this.#view.getUint16(at, !this.bigEndian);
  }
  u32(at: number): number {
    return this.#view.getUint32(at, !this.bigEndian);
  }
  i64(at: number): bigint {
    return this.#view.getBigInt64(at, !this.bigEndian);
  }

  /** Throws unless `count` bytes are there from `at` on. `start` is where the record or block begins. */
  need(at: number, count: number, start: number, what: string): void {
    if (at + count <= this.bytes.length) return;
    throw new NfError(
      "capture.truncated",
      `the file ends inside ${what} that begins at byte ${start}: ${at + count} bytes are needed, the file has ${this.bytes.length}`,
      {
        where: { file: this.file },
        fix: "Record the capture again, or cut the incomplete end off: editcap writes what it can read.",
      },
    );
  }

  damaged(start: number, message: string): NfError {
    return new NfError("capture.format", `${message}, at byte ${start}`, {
      where: { file: this.file },
      fix: "Record the capture again; this file is damaged.",
    });
  }

  linkType(type: number): NfError {
    return new NfError("capture.link_type", `the capture's link type is ${type}`, {
      where: { file: this.file },
      allowed: "1 (Ethernet)",
      fix: "Record on an Ethernet interface; 'tcpdump -i any' gives another link type.",
    });
  }
}
