/** For tests of the AssemblyScript library: frames with right checksums, put where a host would put them, and checked from scratch afterwards. */
import { AREAS, CALL, PacketFlag, RECORDS, RESULT } from "../../abi/gen/abi.ts";
import type { RunningNf } from "./temporary_nf.ts";

export const ICMP = 1;
export const TCP = 6;
export const UDP = 17;
export const ICMPV6 = 58;

export interface TestFrame {
  bytes: Uint8Array;
  l3: number;
  l4: number;
  /** End of the headers: of an ICMP error, of the inner L4's first 8 bytes. */
  headerLength: number;
  protocol: number;
  flags: number;
}

/** One's complement sum of 16-bit words, folded; 0xffff over bytes that hold their own right checksum. */
export function sum(bytes: Uint8Array, start = 0): number {
  let total = start;
  for (let i = 0; i < bytes.length; i += 2) total += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total;
}

function pseudo(bytes: Uint8Array, l3: number, protocol: number, length: number): number {
  const addresses = bytes[l3]! >> 4 === 4 ? bytes.subarray(l3 + 12, l3 + 20) : bytes.subarray(l3 + 8, l3 + 40);
  return sum(addresses, protocol + length);
}

/** Sum over an L4 packet with its pseudo header, where it has one. */
function l4Sum(bytes: Uint8Array, l3: number, l4: number, protocol: number): number {
  const body = bytes.subarray(l4);
  return sum(body, protocol === ICMP ? 0 : pseudo(bytes, l3, protocol, body.length));
}

const checksumOffset = (protocol: number): number => (protocol === TCP ? 16 : protocol === UDP ? 6 : 2);
const l4Bytes = (protocol: number): number => (protocol === TCP ? 20 : 8);

/** IP header, L4 header and payload, with checksums. `l4` overwrites the bytes of the L4 header from its start. */
export function datagram(version: 4 | 6, protocol: number, payload: Uint8Array, l4: readonly number[] = []): Uint8Array {
  const ipBytes = version === 4 ? 20 : 40;
  const out = new Uint8Array(ipBytes + l4Bytes(protocol) + payload.length);
  const view = new DataView(out.buffer);
  if (version === 4) {
    out.set([0x45, 0, 0, 0, 0x12, 0x34, 0x40, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 192, 0, 2, 99]);
    view.setUint16(2, out.length);
    view.setUint16(10, ~sum(out.subarray(0, 20)) & 0xffff);
  } else {
    out.set([0x60, 0, 0, 0, 0, 0, protocol, 64, 0x20, 1, 0xd, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x20, 1, 0xd, 0xb8, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2]);
    view.setUint16(4, out.length - 40);
  }
  if (protocol === TCP) out.set([0x9c, 0x40, 0, 80, 1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0x18, 0x20, 0, 0, 0, 0, 0], ipBytes);
  if (protocol === UDP) {
    out.set([0x9c, 0x40, 0, 53], ipBytes);
    view.setUint16(ipBytes + 4, 8 + payload.length);
  }
  if (protocol === ICMP || protocol === ICMPV6) out.set([8, 0, 0, 0, 0x12, 0x34, 0, 7], ipBytes);
  out.set(l4, ipBytes);
  out.set(payload, ipBytes + l4Bytes(protocol));
  view.setUint16(ipBytes + checksumOffset(protocol), 0);
  const checksum = ~l4Sum(out, 0, ipBytes, protocol) & 0xffff;
  view.setUint16(ipBytes + checksumOffset(protocol), protocol === UDP && checksum === 0 ? 0xffff : checksum);
  return out;
}

export function frame(version: 4 | 6, protocol: number, payload: Uint8Array, l4: readonly number[] = []): TestFrame {
  const ip = datagram(version, protocol, payload, l4);
  const bytes = new Uint8Array(14 + ip.length);
  bytes.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, ...(version === 4 ? [8, 0] : [0x86, 0xdd])]);
  bytes.set(ip, 14);
  const l4Offset = 14 + (version === 4 ? 20 : 40);
  return { bytes, l3: 14, l4: l4Offset, headerLength: l4Offset + l4Bytes(protocol), protocol, flags: 0 };
}

/** An ICMP error that quotes a whole datagram. */
export function icmpError(version: 4 | 6, inner: Uint8Array): TestFrame {
  const made = frame(version, version === 4 ? ICMP : ICMPV6, inner, version === 4 ? [3, 1, 0, 0, 0, 0, 0, 0] : [1, 0, 0, 0, 0, 0, 0, 0]);
  return { ...made, headerLength: made.l4 + 8 + (version === 4 ? 20 : 40) + 8, flags: PacketFlag.ICMP_ERROR };
}

/** Puts the frame into descriptor 0 and calls process-burst; the frame as it is then, and the result record. */
export function process(nf: RunningNf, f: TestFrame): { bytes: Uint8Array; verdict: number; flags: number } {
  const memory = new Uint8Array(nf.memory.buffer);
  const d = RECORDS.descriptor.fields;
  memory.fill(0, CALL.descriptors, CALL.descriptors + RECORDS.descriptor.bytes);
  memory.fill(0, RESULT.results, RESULT.results + RECORDS.result.bytes);
  const put = (field: { offset: number; type: string }, value: number): void => {
    const at = CALL.descriptors + field.offset;
    if (field.type === "u32") nf.memory.setUint32(at, value, true);
    else if (field.type === "u16") nf.memory.setUint16(at, value, true);
    else nf.memory.setUint8(at, value);
  };
  put(d.header, AREAS.header.address);
  put(d.payload, AREAS.payload.address);
  put(d.header_length, f.headerLength);
  put(d.payload_length, f.bytes.length - f.headerLength);
  put(d.wire_length, f.bytes.length);
  put(d.l3_offset, f.l3);
  put(d.l4_offset, f.l4);
  put(d.l4_protocol, f.protocol);
  put(d.flags, f.flags);
  put(d.state, AREAS.state.address);
  put(d.flow, CALL.flow_records);
  memory.set(f.bytes.subarray(0, f.headerLength), AREAS.header.address);
  memory.set(f.bytes.subarray(f.headerLength), AREAS.payload.address);
  nf.exports["process-burst"]!(1);
  const bytes = new Uint8Array(f.bytes.length);
  bytes.set(memory.subarray(AREAS.header.address, AREAS.header.address + f.headerLength));
  bytes.set(memory.subarray(AREAS.payload.address, AREAS.payload.address + f.bytes.length - f.headerLength), f.headerLength);
  return { bytes, verdict: nf.memory.getUint8(RESULT.results), flags: nf.memory.getUint16(RESULT.results + 2, true) };
}

/** Names of the checksums of a datagram that are wrong, computed from scratch; those of the datagram that an ICMP error quotes too. */
export function wrongChecksums(bytes: Uint8Array, l3: number, isError = false): string[] {
  const version = bytes[l3]! >> 4;
  const l4 = l3 + (version === 4 ? 20 : 40);
  const protocol = version === 4 ? bytes[l3 + 9]! : bytes[l3 + 6]!;
  const wrong: string[] = [];
  if (version === 4 && sum(bytes.subarray(l3, l4)) !== 0xffff) wrong.push("ipv4");
  const stored = (bytes[l4 + checksumOffset(protocol)]! << 8) | bytes[l4 + checksumOffset(protocol) + 1]!;
  const isAbsent = protocol === UDP && version === 4 && stored === 0;
  if (!isAbsent && l4Sum(bytes, l3, l4, protocol) !== 0xffff) wrong.push(`l4 ${protocol}`);
  if (isError) wrong.push(...wrongChecksums(bytes, l4 + 8).map((w) => `inner ${w}`));
  return wrong;
}
