/** A classic capture file with nanoseconds, written by hand. */
import type { CapturedPacket } from "./traffic.ts";

export function classicPcap(packets: readonly CapturedPacket[]): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b23c4d, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(65535, 16);
  head.writeUInt32LE(1, 20); // Ethernet
  const parts = [head];
  for (const { timestampNs, data, wireLength } of packets) {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(Number(timestampNs / 1_000_000_000n), 0);
    record.writeUInt32LE(Number(timestampNs % 1_000_000_000n), 4);
    record.writeUInt32LE(data.length, 8);
    record.writeUInt32LE(wireLength, 12);
    parts.push(record, Buffer.from(data));
  }
  return Buffer.concat(parts);
}
