/**
 * Frames: 4 bytes of length (little-endian), then MessagePack. They go over a host's control socket, and between hosts and their controller.
 *
 * The other end may be anything that can connect. So a length is checked before a byte is kept, room is taken only for what has come, and what a frame holds
 * is counted (message_bounds.ts) before it is unpacked. A frame that is refused ends the connection: where the next one begins is not known.
 */
import type { ErrorCode } from "@nfactor/sdk/error_codes";
import { NfError } from "@nfactor/sdk/errors";
import { type Options, Packr } from "msgpackr";
import { type MessageBounds, whyNotMessage } from "./message_bounds.ts";

export interface FrameFormat extends MessageBounds {
  /** Of a message, without its length. */
  readonly bytes: number;
  /** What a frame is refused with. */
  readonly code: ErrorCode;
  /** In messages: the control socket. */
  readonly on: string;
}

/** Largest frame in either direction of the control socket: an artifact with its source map, or a page of flows with large states. */
export const FRAME_BYTES_MAX = 16 << 20;

export const CONTROL_SOCKET: FrameFormat = {
  bytes: FRAME_BYTES_MAX,
  values: 4_000_000,
  depth: 32,
  bigInts: true,
  code: "host.socket",
  on: "the control socket",
};

const LENGTH_BYTES = 4;
/** The first room for a frame of which only a part has come; it doubles. */
const FIRST_BYTES = 4096;

/** A field that is undefined is left out; anywhere else undefined is no message. */
const options: Options & { skipValues: unknown[] } = { useRecords: false, mapsAsObjects: true, largeBigIntToFloat: false, skipValues: [undefined] };
const packr = new Packr(options);

/** A frame for the control socket. Throws NfError (host.socket). */
export function packFrame(value: unknown): Buffer {
  return frameOf(value, CONTROL_SOCKET);
}

/** Throws NfError (the format's code): too long, or nothing that the other end would take. */
export function frameOf(value: unknown, format: FrameFormat): Buffer {
  const body = packr.pack(value);
  if (body.length > format.bytes) {
    throw new NfError(format.code, `a message of ${body.length} bytes is too long for ${format.on}`, {
      given: `${body.length} bytes`,
      allowed: `${format.bytes} bytes`,
      fix: "Ask for less at once (--limit).",
    });
  }
  const why = whyNotMessage(body, format);
  if (why !== undefined) throw new NfError(format.code, `a message cannot go over ${format.on}: ${why}`, { fix: "Ask for less at once (--limit)." });
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + body.length);
  frame.writeUInt32LE(body.length, 0);
  body.copy(frame, LENGTH_BYTES);
  return frame;
}

/** What a whole frame of this side's own holds. */
export function messageOf(frame: Buffer): unknown {
  return packr.unpack(frame.subarray(LENGTH_BYTES));
}

/** Puts chunks together; one per connection. */
export class FrameReader {
  /** May be changed between two frames: who is known may say more. */
  format: FrameFormat;
  /** A frame that has begun and not ended, the first #filled bytes of it. */
  #begun: Buffer | undefined;
  #filled = 0;
  #lastBytes = 0;

  constructor(format: FrameFormat = CONTROL_SOCKET) {
    this.format = format;
  }

  /** Bytes of a frame that has begun and not ended. */
  get pending(): number {
    return this.#filled;
  }

  /** Length of the frame that was given last, its head included. */
  get lastBytes(): number {
    return this.#lastBytes;
  }

  /** The frames that this chunk completes, in order. Throws NfError (the format's code); the reader is of no use after that. */
  push(chunk: Buffer): unknown[] {
    return [...this.frames(chunk)];
  }

  /** As push(), one after the other. The bytes of a message stay part of the chunk: give it away. */
  *frames(chunk: Buffer): Generator<unknown, void> {
    let rest = chunk;
    while (this.#begun && rest.length > 0) {
      rest = this.#fill(rest);
      const frame = this.#begun.subarray(0, this.#filled);
      const length = this.#lengthOf(frame);
      if (length === undefined || frame.length < length) continue;
      this.#begun = undefined;
      this.#filled = 0;
      yield this.#unpack(frame);
    }
    for (;;) {
      const length = this.#lengthOf(rest);
      if (length === undefined || rest.length < length) break;
      const frame = rest.subarray(0, length);
      rest = rest.subarray(length);
      yield this.#unpack(frame);
    }
    if (rest.length === 0) return;
    this.#begun = Buffer.allocUnsafe(Math.max(rest.length, FIRST_BYTES));
    this.#filled = rest.copy(this.#begun);
  }

  /** Takes what belongs to the frame that has begun, and gives back the rest. */
  #fill(chunk: Buffer): Buffer {
    const wanted = (this.#lengthOf(this.#begun!.subarray(0, this.#filled)) ?? LENGTH_BYTES) - this.#filled;
    const taken = Math.min(wanted, chunk.length);
    if (this.#filled + taken > this.#begun!.length) {
      const larger = Buffer.allocUnsafe(Math.min(Math.max(2 * this.#begun!.length, this.#filled + taken), LENGTH_BYTES + this.format.bytes));
      this.#begun!.copy(larger, 0, 0, this.#filled);
      this.#begun = larger;
    }
    chunk.copy(this.#begun!, this.#filled, 0, taken);
    this.#filled += taken;
    return chunk.subarray(taken);
  }

  /** Of the whole frame that begins here; undefined when too little has come. */
  #lengthOf(bytes: Buffer): number | undefined {
    if (bytes.length < LENGTH_BYTES) return undefined;
    const length = bytes.readUInt32LE(0);
    const { code, on, bytes: allowed } = this.format;
    if (length > allowed) throw new NfError(code, `a message of ${length} bytes on ${on}`, { given: `${length} bytes`, allowed: `${allowed} bytes` });
    return LENGTH_BYTES + length;
  }

  #unpack(frame: Buffer): unknown {
    const body = frame.subarray(LENGTH_BYTES);
    this.#lastBytes = frame.length;
    const { code, on } = this.format;
    const why = whyNotMessage(body, this.format);
    if (why !== undefined) throw new NfError(code, `a message on ${on} is no MessagePack that is allowed there: ${why}`);
    try {
      return packr.unpack(body);
    } catch (cause) {
      throw new NfError(code, `a message on ${on} is no MessagePack`, { cause });
    }
  }
}
