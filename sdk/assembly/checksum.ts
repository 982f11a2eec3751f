// The Internet checksum, changed by what changed (RFC 1624, equation 3): C' = ~(~C + ~m + m').
//
// All values are 16-bit words as loaded from the frame, not swapped: one's complement addition does not care about byte order as
// long as all words have the same one. A 32-bit word counts as its two halves.
import { Descriptor } from "./abi";
import { current, hasL4 } from "./runtime";

export const PROTOCOL_ICMP: u32 = 1;
export const PROTOCOL_TCP: u32 = 6;
export const PROTOCOL_UDP: u32 = 17;
export const PROTOCOL_ICMPV6: u32 = 58;
export const PROTOCOL_UDP_LITE: u32 = 136;

/** The checksum after a word changed. */
// @ts-ignore: decorator
@inline
export function updated(checksum: u32, from: u32, to: u32): u32 {
  let sum = (~checksum & 0xffff) + (~from & 0xffff) + (~from >>> 16) + (to & 0xffff) + (to >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** Brings the checksum at an address up to date; returns the word that it held before. */
// @ts-ignore: decorator
@inline
export function updateAt(address: usize, from: u32, to: u32): void {
  store<u16>(address, <u16>updated(<u32>load<u16>(address), from, to));
}

/** The same for UDP, where 0 says that there is no checksum: it stays 0, and a sum of 0 is written 0xffff. */
// @ts-ignore: decorator
@inline
export function updateUdpAt(address: usize, from: u32, to: u32): void {
  const before = <u32>load<u16>(address);
  if (before == 0) return;
  const after = updated(before, from, to);
  store<u16>(address, <u16>(after == 0 ? 0xffff : after));
}

/**
 * For changes that repeat: what a change adds to a checksum, to be kept ready (in a flow's state, say) and added to each packet's.
 * Values are words as they lie in the frame. Deltas add up, with checksumDeltas.
 */
export function checksumDelta(from: u32, to: u32): u32 {
  return folded((~from & 0xffff) + (~from >>> 16) + (to & 0xffff) + (to >>> 16));
}

/** Two deltas in one. */
export function checksumDeltas(a: u32, b: u32): u32 {
  return folded(a + b);
}

function folded(sum: u32): u32 {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

/** Adds a delta to the checksum at an address. */
// @ts-ignore: decorator
@inline
export function addDeltaAt(address: usize, delta: u32): void {
  const sum = ((<u32>load<u16>(address)) ^ 0xffff) + delta;
  store<u16>(address, <u16>~(sum + (sum >>> 16)));
}

/** The same for UDP, where 0 says that there is no checksum. */
// @ts-ignore: decorator
@inline
export function addUdpDeltaAt(address: usize, delta: u32): void {
  const before = <u32>load<u16>(address);
  if (before == 0) return;
  const sum = (before ^ 0xffff) + delta;
  const after = ~(sum + (sum >>> 16)) & 0xffff;
  store<u16>(address, <u16>(after == 0 ? 0xffff : after));
}

/**
 * An address of the packet in hand changed: the L4 checksums that cover the pseudo header follow. A later fragment has no L4
 * header. ICMPv4 covers no addresses, SCTP neither.
 */
export function pseudoHeaderChanged(from: u32, to: u32): void {
  const d = changetype<Descriptor>(current);
  const l4 = <usize>d.header + <usize>d.l4_offset;
  const protocol = <u32>d.l4_protocol;
  if (protocol == PROTOCOL_TCP) {
    if (hasL4(20)) updateAt(l4 + 16, from, to);
  } else if (protocol == PROTOCOL_UDP || protocol == PROTOCOL_UDP_LITE) {
    if (hasL4(8)) updateUdpAt(l4 + 6, from, to);
  } else if (protocol == PROTOCOL_ICMPV6) {
    if (hasL4(8)) updateAt(l4 + 2, from, to);
  }
}
