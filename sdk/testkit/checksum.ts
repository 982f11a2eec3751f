/** Internet checksums of test frames. */

/** One's complement sum of 16-bit words, folded; `start` is a sum to go on from. */
export function sum16(bytes: Uint8Array, start = 0): number {
  let sum = start;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

/** Of the pseudo header of TCP, UDP, ICMPv6 (RFC 9293, RFC 8200). */
export function pseudoSum(source: Uint8Array, destination: Uint8Array, protocol: number, length: number): number {
  return sum16(Uint8Array.from([...source, ...destination, length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255, 0, 0, 0, protocol]));
}

export function checksum(bytes: Uint8Array, start = 0): number {
  return ~sum16(bytes, start) & 0xffff;
}
