/**
 * pcapng: blocks with their length at both ends, in sections, each of which has a byte order and interfaces of its own.
 *
 * Read: section headers, interface descriptions, enhanced and simple packet blocks and the obsolete packet block; all others are skipped.
 * Written: section and interface blocks as they were read, at their places among the packets (a section's length is given as unknown, since it
 * changes), and every packet as an enhanced block without options.
 */
import { type FileBytes } from "./bytes.ts";
import { type Capture, type CaptureRecord, type CopiedBlock, LINKTYPE_ETHERNET, type OutputFrame, RECORD_BYTES_MAX, originalLength } from "./capture.ts";

const SECTION = 0x0a0d0d0a;
const INTERFACE = 1;
const OBSOLETE_PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;
const ORDER_MAGIC = 0x1a2b3c4d;
const OPTION_TSRESOL = 9;
const OPTION_TSOFFSET = 14;
const BLOCK_BYTES_MAX = 1 << 26;

interface Interface {
  snapLength: number;
  /** A timestamp in these units is `units × numerator / denominator` ns. */
  numerator: bigint;
  denominator: bigint;
  offsetNs: bigint;
}

/** True when the file starts with a section header block. */
export function isPcapng(file: FileBytes): boolean {
  return file.length >= 4 && file.u32(0) === SECTION;
}

/** Throws NfError (capture.truncated, capture.format, capture.link_type). */
export function readPcapng(file: FileBytes): Capture {
  const records: CaptureRecord[] = [];
  const blocks: CopiedBlock[] = [];
  let interfaces: Interface[] = [];
  let firstOrder: boolean | undefined;
  for (let at = 0; at < file.length;) {
    file.need(at, 12, at, "a block");
    // A section header reads the same in both byte orders, and says which one holds from here on.
    if (file.u32(at) === SECTION) {
      readOrder(file, at);
      firstOrder ??= file.bigEndian;
      interfaces = [];
    }
    const type = file.u32(at);
    const length = file.u32(at + 4);
    if (length < (type === SECTION ? 28 : 12) || length % 4 !== 0 || length > BLOCK_BYTES_MAX) throw file.damaged(at, `a block claims ${length} bytes`);
    file.need(at, length, at, "a block");
    if (file.u32(at + length - 4) !== length) throw file.damaged(at, "a block's two lengths differ");
    const [body, end] = [at + 8, at + length - 4];
    if (type === SECTION || type === INTERFACE) blocks.push({ bytes: file.bytes.slice(at, at + length), bigEndian: file.bigEndian });
    if (type === SECTION && file.u16(body + 4) !== 1) throw file.damaged(at, `the format's version is ${file.u16(body + 4)}.${file.u16(body + 6)}, not 1.0`);
    if (type === INTERFACE) interfaces.push(readInterface(file, body, end));
    const packet = readPacket(file, type, body, end, interfaces);
    if (packet) {
      packet.source.blocksBefore = blocks.length;
      records.push(packet);
    }
    at += length;
  }
  return { format: "pcapng", records, header: new Uint8Array(0), bigEndian: firstOrder ?? false, blocks };
}

function readOrder(file: FileBytes, at: number): void {
  file.need(at, 28, at, "a section header");
  for (const bigEndian of [false, true]) {
    file.bigEndian = bigEndian;
    if (file.u32(at + 8) === ORDER_MAGIC) return;
  }
  throw file.damaged(at, "a section header without its byte-order magic");
}

function readInterface(file: FileBytes, body: number, end: number): Interface {
  if (end - body < 8) throw file.damaged(body - 8, "an interface description is too short");
  const link = file.u16(body);
  if (link !== LINKTYPE_ETHERNET) throw file.linkType(link);
  const found: Interface = { snapLength: file.u32(body + 4), numerator: 1000n, denominator: 1n, offsetNs: 0n };
  for (let at = body + 8; at + 4 <= end;) {
    const [code, length] = [file.u16(at), file.u16(at + 2)];
    if (code === 0) break;
    if (at + 4 + length > end) throw file.damaged(body - 8, "an option of an interface description exceeds its block");
    if (code === OPTION_TSRESOL && length === 1) Object.assign(found, resolution(file.bytes[at + 4]!));
    if (code === OPTION_TSOFFSET && length === 8) found.offsetNs = file.i64(at + 4) * 1_000_000_000n;
    at += 4 + length + (-length & 3);
  }
  return found;
}

/** if_tsresol: a negative power of 10, or of 2 with the high bit set. */
function resolution(code: number): Pick<Interface, "numerator" | "denominator"> {
  const exponent = BigInt(code & 0x7f);
  if ((code & 0x80) !== 0) return { numerator: 1_000_000_000n, denominator: 1n << exponent };
  return exponent <= 9n ? { numerator: 10n ** (9n - exponent), denominator: 1n } : { numerator: 1n, denominator: 10n ** (exponent - 9n) };
}

interface PacketShape {
  interface: number;
  high: number;
  low: number;
  captured: number;
  original: number;
  data: number;
}

function readPacket(file: FileBytes, type: number, body: number, end: number, interfaces: readonly Interface[]): CaptureRecord | undefined {
  const shape = packetShape(file, type, body, end, interfaces);
  if (!shape) return undefined;
  const from = interfaces[shape.interface];
  if (!from) throw file.damaged(body - 8, `a packet names interface ${shape.interface}, of which there is no description`);
  const { high, low, captured, original, data } = shape;
  if (captured > RECORD_BYTES_MAX || data + captured > end) throw file.damaged(body - 8, `a packet claims ${captured} captured bytes`);
  const units = (BigInt(high) << 32n) | BigInt(low);
  return {
    timestampNs: type === SIMPLE_PACKET ? 0n : BigInt.asUintN(64, (units * from.numerator) / from.denominator + from.offsetNs),
    bytes: file.bytes.subarray(data, data + captured),
    wireLength: Math.max(original, captured),
    source: { high, low, originalLength: original, interface: shape.interface, blocksBefore: 0 },
  };
}

function packetShape(file: FileBytes, type: number, body: number, end: number, interfaces: readonly Interface[]): PacketShape | undefined {
  const fixed = type === SIMPLE_PACKET ? 4 : 20;
  if (type !== SIMPLE_PACKET && type !== ENHANCED_PACKET && type !== OBSOLETE_PACKET) return undefined;
  if (end - body < fixed) throw file.damaged(body - 8, "a packet block is too short");
  if (type === SIMPLE_PACKET) {
    const original = file.u32(body);
    const snap = interfaces[0]?.snapLength ?? 0;
    return { interface: 0, high: 0, low: 0, captured: Math.min(original, snap === 0 ? original : snap, end - body - 4), original, data: body + 4 };
  }
  const number = type === ENHANCED_PACKET ? file.u32(body) : file.u16(body);
  return {
    interface: number,
    high: file.u32(body + 4),
    low: file.u32(body + 8),
    captured: file.u32(body + 12),
    original: file.u32(body + 16),
    data: body + 20,
  };
}

/** Pieces of the file. Section and interface blocks come before the first frame that came after them; all of them are written. */
export function* pcapngPieces(capture: Capture, frames: Iterable<OutputFrame>): Generator<Uint8Array> {
  let written = 0;
  let bigEndian = capture.bigEndian;
  const blocksUpTo = function* (count: number): Generator<Uint8Array> {
    for (; written < count; written++) {
      const block = capture.blocks[written]!;
      bigEndian = block.bigEndian;
      yield withoutSectionLength(block);
    }
  };
  for (const frame of frames) {
    yield* blocksUpTo(frame.record.source.blocksBefore);
    yield enhancedPacket(frame, bigEndian);
  }
  yield* blocksUpTo(capture.blocks.length);
}

function withoutSectionLength({ bytes, bigEndian }: CopiedBlock): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, !bigEndian) !== SECTION) return bytes;
  const copy = bytes.slice();
  new DataView(copy.buffer).setBigInt64(16, -1n, !bigEndian);
  return copy;
}

function enhancedPacket(frame: OutputFrame, bigEndian: boolean): Uint8Array {
  const { bytes, record } = frame;
  const length = 32 + Math.ceil(bytes.length / 4) * 4;
  const piece = new Uint8Array(length);
  const view = new DataView(piece.buffer);
  const { interface: number, high, low } = record.source;
  [ENHANCED_PACKET, length, number, high, low, bytes.length, originalLength(frame)].forEach((value, i) => view.setUint32(i * 4, value, !bigEndian));
  piece.set(bytes, 28);
  view.setUint32(length - 4, length, !bigEndian);
  return piece;
}
