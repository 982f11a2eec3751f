/**
 * Classic pcap: a header of 24 bytes, then records of 16 bytes and the frame. The magic number tells byte order and whether the fraction of a
 * second counts micro- or nanoseconds. What nothing changed is written as it was read, so that the file comes out identical.
 */
import { type FileBytes } from "./bytes.ts";
import { type Capture, type CaptureRecord, LINKTYPE_ETHERNET, type OutputFrame, RECORD_BYTES_MAX, originalLength } from "./capture.ts";

const MICRO = 0xa1b2c3d4;
const NANO = 0xa1b23c4d;
const FILE_HEADER = 24;
const RECORD_HEADER = 16;

/** True when the file starts with one of the four magic numbers. */
export function isPcap(file: FileBytes): boolean {
  return file.length >= 4 && magicOf(file) !== undefined;
}

function magicOf(file: FileBytes): { bigEndian: boolean; nano: boolean } | undefined {
  for (const bigEndian of [false, true]) {
    file.bigEndian = bigEndian;
    const magic = file.u32(0);
    if (magic === MICRO || magic === NANO) return { bigEndian, nano: magic === NANO };
  }
  return undefined;
}

/** Throws NfError (capture.truncated, capture.format, capture.link_type). */
export function readPcap(file: FileBytes): Capture {
  const { bigEndian, nano } = magicOf(file)!;
  file.bigEndian = bigEndian;
  file.need(0, FILE_HEADER, 0, "the file header");
  if (file.u16(4) !== 2) throw file.damaged(4, `the format's version is ${file.u16(4)}.${file.u16(6)}, not 2.4`);
  // The upper bits hold the length of a frame check sequence, not a part of the type.
  const link = file.u32(20) & 0xffff;
  if (link !== LINKTYPE_ETHERNET) throw file.linkType(link);
  const unit = nano ? 1n : 1000n;
  const records: CaptureRecord[] = [];
  for (let at = FILE_HEADER; at < file.length;) {
    file.need(at, RECORD_HEADER, at, `record ${records.length + 1}`);
    const [high, low, captured, original] = [file.u32(at), file.u32(at + 4), file.u32(at + 8), file.u32(at + 12)];
    if (captured > RECORD_BYTES_MAX) throw file.damaged(at, `record ${records.length + 1} claims ${captured} captured bytes`);
    file.need(at + RECORD_HEADER, captured, at, `record ${records.length + 1}`);
    records.push({
      timestampNs: BigInt(high) * 1_000_000_000n + BigInt(low) * unit,
      bytes: file.bytes.subarray(at + RECORD_HEADER, at + RECORD_HEADER + captured),
      wireLength: Math.max(original, captured),
      source: { high, low, originalLength: original, interface: 0, blocksBefore: 0 },
    });
    at += RECORD_HEADER + captured;
  }
  return { format: "pcap", records, header: file.bytes.slice(0, FILE_HEADER), bigEndian, blocks: [] };
}

/** Pieces of the file, one for the header and one for each frame. */
export function* pcapPieces(capture: Capture, frames: Iterable<OutputFrame>): Generator<Uint8Array> {
  yield capture.header;
  for (const frame of frames) {
    const piece = new Uint8Array(RECORD_HEADER + frame.bytes.length);
    const view = new DataView(piece.buffer);
    const { high, low } = frame.record.source;
    [high, low, frame.bytes.length, originalLength(frame)].forEach((value, i) => view.setUint32(i * 4, value, !capture.bigEndian));
    piece.set(frame.bytes, RECORD_HEADER);
    yield piece;
  }
}

/** A capture without records, to be filled by a program that has none to copy: little-endian, nanoseconds, Ethernet. */
export function emptyPcap(): Capture {
  const header = new Uint8Array(FILE_HEADER);
  const view = new DataView(header.buffer);
  view.setUint32(0, NANO, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, 4, true);
  view.setUint32(16, RECORD_BYTES_MAX, true);
  view.setUint32(20, LINKTYPE_ETHERNET, true);
  return { format: "pcap", records: [], header, bigEndian: false, blocks: [] };
}

/** A record for a capture of `emptyPcap`. */
export function pcapRecord(timestampNs: bigint, bytes: Uint8Array, wireLength = bytes.length): CaptureRecord {
  const [high, low] = [Number(timestampNs / 1_000_000_000n), Number(timestampNs % 1_000_000_000n)];
  return { timestampNs, bytes, wireLength, source: { high, low, originalLength: wireLength, interface: 0, blocksBefore: 0 } };
}
