// What the call in progress is about. The generated exports move these marks; views and helpers read them.
//
// One instance runs one call at a time, so module variables are enough. An NF that never edits or emits leaves `current` and
// `emitted` without a reader, and the optimizer takes their stores out of the loop again.
import { BURST_HEADER_ADDRESS, BurstHeader, DESCRIPTORS_ADDRESS, Descriptor, PacketFlag, RESULTS_ADDRESS, Result, ResultFlag } from "./abi";

/** Guest address of the descriptor of the packet in hand; 0 outside a packet call. */
export let current: usize = 0;
/** Emit records used in this call. */
export let emitted: u32 = 0;

// @ts-ignore: decorator
@inline
export function beginBurst(): void {
  emitted = 0;
}

// @ts-ignore: decorator
@inline
export function beginPacket(descriptor: usize): void {
  current = descriptor;
}

export function countEmit(): u32 {
  const index = emitted;
  emitted = index + 1;
  return index;
}

/** The result record that belongs to a descriptor: records of 64 and of 16 bytes, in the same order. */
// @ts-ignore: decorator
@inline
export function resultOf(descriptor: usize): Result {
  return changetype<Result>(((descriptor - DESCRIPTORS_ADDRESS) >> 2) + RESULTS_ADDRESS);
}

/** Number of a descriptor in its call, 0 to 31. */
// @ts-ignore: decorator
@inline
export function indexOf(descriptor: usize): u32 {
  return <u32>((descriptor - DESCRIPTORS_ADDRESS) >> 6);
}

// The three that follow stand for rights: the compiler's check of nf.yaml looks for calls to them, so they are functions of
// their own until the optimizer inlines them.

/** Says that header bytes of the packet in hand were changed. Needs `edit: headers`. */
export function editedHeader(): void {
  const result = resultOf(current);
  result.flags = <u16>((<u32>result.flags) | (<u32>ResultFlag.MODIFIED_HEADER));
}

/** Says that payload bytes of the packet in hand were changed, and with them a checksum in the header. Needs `edit: payload`. */
export function editedPayload(): void {
  const result = resultOf(current);
  result.flags = <u16>((<u32>result.flags) | (<u32>ResultFlag.MODIFIED_PAYLOAD) | (<u32>ResultFlag.MODIFIED_HEADER));
}

/** Says that the lengths of the packet in hand changed. Needs `reshape: true`. */
export function reshaped(headerLength: u32, payloadLength: u32): void {
  const result = resultOf(current);
  result.flags = <u16>((<u32>result.flags) | (<u32>ResultFlag.RESHAPED));
  result.header_length = <u16>headerLength;
  result.payload_length = <u16>payloadLength;
}

/** True when the packet in hand has an L4 header of at least `bytes` bytes. */
export function hasL4(bytes: u32): bool {
  const d = changetype<Descriptor>(current);
  return ((<u32>d.flags) & (<u32>PacketFlag.LATER_FRAGMENT)) == 0 && <u32>d.header_length >= <u32>d.l4_offset + bytes;
}

/** Time of the poll, in nanoseconds since the epoch: the only clock, the same for all packets of a call. Packet.timeNs is finer. */
// @ts-ignore: decorator
@inline
export function now(): u64 {
  return changetype<BurstHeader>(BURST_HEADER_ADDRESS).now_ns;
}
