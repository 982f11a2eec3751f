/** Blocks of a pcapng file that is written while packets come: one section, one Ethernet interface with times in ns. Each block is whole in itself. */
import { LINKTYPE_ETHERNET } from "./capture.ts";

const SECTION = 0x0a0d0d0a;
const INTERFACE = 1;
const ENHANCED_PACKET = 6;
const ORDER_MAGIC = 0x1a2b3c4d;
const OPTION_COMMENT = 1;
const OPTION_APPLICATION = 4;
const OPTION_IF_NAME = 2;
const OPTION_TSRESOL = 9;
const OPTION_FLAGS = 2;
const NANOSECONDS = 9;
const OPTION_BYTES_MAX = 4096;

/** What every file begins with. */
export function livePcapngHeader({ interface: name, application }: { interface: string; application: string }): Uint8Array {
  const section = new Uint8Array(16);
  const view = new DataView(section.buffer);
  view.setUint32(0, ORDER_MAGIC, true);
  view.setUint16(4, 1, true);
  view.setBigInt64(8, -1n, true);
  const iface = new Uint8Array(8);
  new DataView(iface.buffer).setUint16(0, LINKTYPE_ETHERNET, true);
  return joined([
    block(SECTION, [section, ...options([[OPTION_APPLICATION, utf8(application)]])]),
    block(INTERFACE, [
      iface,
      ...options([
        [OPTION_IF_NAME, utf8(name)],
        [OPTION_TSRESOL, new Uint8Array([NANOSECONDS])],
      ]),
    ]),
  ]);
}

export interface LivePacket {
  timestampNs: bigint;
  bytes: Uint8Array;
  wireLength: number;
  comment: string;
  /** As seen from the interface. */
  direction: "in" | "out" | undefined;
}

export function livePcapngPacket({ timestampNs, bytes, wireLength, comment, direction }: LivePacket): Uint8Array {
  const fixed = new Uint8Array(20);
  const view = new DataView(fixed.buffer);
  const fields = [0, Number(timestampNs >> 32n), Number(timestampNs & 0xffffffffn), bytes.length, Math.max(wireLength, bytes.length)];
  fields.forEach((value, i) => view.setUint32(4 * i, value, true));
  const list: [number, Uint8Array][] = [[OPTION_COMMENT, utf8(comment)]];
  if (direction) list.push([OPTION_FLAGS, new Uint8Array([direction === "in" ? 1 : 2, 0, 0, 0])]);
  return block(ENHANCED_PACKET, [fixed, padded(bytes), ...options(list)]);
}

/** Cut where it is too long, and not in the middle of a character. */
function utf8(text: string): Uint8Array {
  const bytes = new Uint8Array(OPTION_BYTES_MAX);
  return bytes.subarray(0, new TextEncoder().encodeInto(text, bytes).written);
}

function options(list: readonly [number, Uint8Array][]): Uint8Array[] {
  const end = new Uint8Array(4);
  return [
    ...list.flatMap(([code, value]) => {
      const head = new Uint8Array(4);
      const view = new DataView(head.buffer);
      view.setUint16(0, code, true);
      view.setUint16(2, value.length, true);
      return [head, padded(value)];
    }),
    end,
  ];
}

function padded(bytes: Uint8Array): Uint8Array {
  if (bytes.length % 4 === 0) return bytes;
  const whole = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  whole.set(bytes);
  return whole;
}

function block(type: number, parts: readonly Uint8Array[]): Uint8Array {
  const length = 12 + parts.reduce((sum, part) => sum + part.length, 0);
  const [head, tail] = [new Uint8Array(8), new Uint8Array(4)];
  new DataView(head.buffer).setUint32(0, type, true);
  new DataView(head.buffer).setUint32(4, length, true);
  new DataView(tail.buffer).setUint32(0, length, true);
  return joined([head, ...parts, tail]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
