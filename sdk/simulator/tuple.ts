/** What identifies a flow, as one packet shows it (docs/packet_path.md, section 3), and its texts. */

export interface Tuple {
  ipVersion: 4 | 6;
  protocol: number;
  /** VLAN ids, outer first. */
  vlan: readonly number[];
  /** Addresses as hexadecimal digits, 8 or 32. */
  source: string;
  sourcePort: number;
  destination: string;
  destinationPort: number;
}

/** The same flow as its other side sends. */
export function reversed(tuple: Tuple): Tuple {
  return { ...tuple, source: tuple.destination, sourcePort: tuple.destinationPort, destination: tuple.source, destinationPort: tuple.sourcePort };
}

/** A text that is equal exactly for equal tuples. */
export function tupleKey(tuple: Tuple): string {
  const { ipVersion, protocol, vlan, source, sourcePort, destination, destinationPort } = tuple;
  return `${ipVersion}/${protocol}/${vlan.join(".")}/${source}.${sourcePort}>${destination}.${destinationPort}`;
}

/** Bytes of an address of a frame, as hexadecimal digits. */
export function addressHex(frame: Uint8Array, at: number, bytes: number): string {
  return Buffer.from(frame.buffer, frame.byteOffset + at, bytes).toString("hex");
}

/** The 16 bytes of a flow record: IPv4 addresses are mapped. */
export function addressBytes(hex: string): Uint8Array {
  return Buffer.from(hex.length === 8 ? `00000000000000000000ffff${hex}` : hex, "hex");
}

/** 10.0.0.1, fd00::1 (RFC 5952). */
export function addressText(hex: string): string {
  if (hex.length === 8) return [0, 2, 4, 6].map((i) => Number.parseInt(hex.slice(i, i + 2), 16)).join(".");
  // ::ffff:a.b.c.d is written with its last 32 bits as IPv4 (RFC 5952, section 5).
  if (hex.startsWith("00000000000000000000ffff")) return `::ffff:${addressText(hex.slice(24))}`;
  const groups = Array.from({ length: 8 }, (_, i) => Number.parseInt(hex.slice(i * 4, i * 4 + 4), 16));
  let [start, length] = [0, 1];
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (i + run < 8 && groups[i + run] === 0) run++;
    if (run > length) [start, length] = [i, run];
  }
  const shown = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((g) => g.toString(16))
      .join(":");
  return length < 2 ? shown(0, 8) : `${shown(0, start)}::${shown(start + length, 8)}`;
}
