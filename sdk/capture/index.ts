/** Capture files: pcap and pcapng, read whole and written in the format of what was read. */
import { closeSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { NfError } from "../errors.ts";
import { FileBytes } from "./bytes.ts";
import type { Capture, OutputFrame } from "./capture.ts";
import { isPcap, pcapPieces, readPcap } from "./pcap.ts";
import { isPcapng, pcapngPieces, readPcapng } from "./pcapng.ts";

export type { Capture, CaptureRecord, OutputFrame } from "./capture.ts";
export { emptyPcap, pcapRecord } from "./pcap.ts";
export { livePcapngHeader, livePcapngPacket } from "./pcapng_live.ts";

/** Throws NfError (capture.format, capture.truncated, capture.link_type). `file` is only named in messages. */
export function parseCapture(bytes: Uint8Array, file: string): Capture {
  const input = new FileBytes(bytes, file);
  if (isPcapng(input)) return readPcapng(input);
  if (isPcap(input)) return readPcap(input);
  throw new NfError("capture.format", bytes.length === 0 ? "the file is empty" : "the file is neither pcap nor pcapng", {
    where: { file },
    fix: "Give a capture as tcpdump, dumpcap or Wireshark write it; a compressed one has to be unpacked first.",
  });
}

/** Reads a capture file whole; throws NfError (capture.read besides those of `parseCapture`). */
export function readCapture(path: string): Capture {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new NfError("capture.read", `the capture cannot be read (${cause instanceof Error ? cause.message : String(cause)})`, {
      cause,
      where: { file: path },
    });
  }
  return parseCapture(bytes, path);
}

/** The file's bytes: frames in the format of `capture`, which their records are from. */
export function* capturePieces(capture: Capture, frames: Iterable<OutputFrame>): Generator<Uint8Array> {
  yield* capture.format === "pcap" ? pcapPieces(capture, frames) : pcapngPieces(capture, frames);
}

/** Writes aside and renames, so that nobody finds half a file; throws NfError capture.write. */
export function writeCapture(path: string, capture: Capture, frames: Iterable<OutputFrame>): void {
  const aside = `${path}.${process.pid}.tmp`;
  try {
    const file = openSync(aside, "w");
    try {
      for (const piece of capturePieces(capture, frames)) {
        for (let at = 0; at < piece.length;) at += writeSync(file, piece, at);
      }
    } finally {
      closeSync(file);
    }
    renameSync(aside, path);
  } catch (cause) {
    rmSync(aside, { force: true });
    throw new NfError("capture.write", `the capture cannot be written (${cause instanceof Error ? cause.message : String(cause)})`, {
      cause,
      where: { file: path },
    });
  }
}
