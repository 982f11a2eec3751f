/**
 * Frames on the control socket: 4 bytes of length (little-endian), then MessagePack.
 *
 * The other end may be anything that can open the socket, so a length is checked before a byte is kept, and a frame that does not unpack ends
 * the connection.
 */
import { Packr } from "msgpackr";
import { NfError } from "@nfactor/sdk/errors";

/** Largest frame in either direction: an artifact with its source map, or a page of flows with large states. */
export const FRAME_BYTES_MAX = 16 << 20;

const packr = new Packr({ useRecords: false, mapsAsObjects: true, largeBigIntToFloat: false });

export function packFrame(value: unknown): Buffer {
  const body = packr.pack(value);
  if (body.length > FRAME_BYTES_MAX) {
    throw new NfError("host.socket", `a message of ${body.length} bytes is too long for the control socket`, {
      allowed: `${FRAME_BYTES_MAX} bytes`,
      fix: "Ask for less at once (--limit).",
    });
  }
  const frame = Buffer.allocUnsafe(4 + body.length);
  frame.writeUInt32LE(body.length, 0);
  body.copy(frame, 4);
  return frame;
}

/** Puts chunks together; one per connection. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #bytes = 0;

  /** Bytes of a frame that has begun and not ended. */
  get pending(): number {
    return this.#bytes;
  }

  /** The frames that this chunk completes, in order. Throws NfError (host.socket) on a frame that is too long or no MessagePack. */
  push(chunk: Buffer): unknown[] {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    const values: unknown[] = [];
    for (let length = this.#nextLength(); length !== undefined && this.#bytes >= 4 + length; length = this.#nextLength()) {
      const all = this.#joined();
      values.push(unpack(all.subarray(4, 4 + length)));
      this.#chunks = [all.subarray(4 + length)];
      this.#bytes = all.length - 4 - length;
    }
    return values;
  }

  #nextLength(): number | undefined {
    if (this.#bytes < 4) return undefined;
    if (this.#chunks[0]!.length < 4) this.#joined();
    const length = this.#chunks[0]!.readUInt32LE(0);
    if (length > FRAME_BYTES_MAX)
      throw new NfError("host.socket", `a message of ${length} bytes on the control socket`, { allowed: `${FRAME_BYTES_MAX} bytes` });
    return length;
  }

  #joined(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0]!;
  }
}

function unpack(body: Buffer): unknown {
  try {
    return packr.unpack(body);
  } catch (cause) {
    throw new NfError("host.socket", "a message on the control socket is no MessagePack", { cause });
  }
}
