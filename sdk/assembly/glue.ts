// What the exports that the compiler writes are made of. Not for authors: nothing here is exported by index.ts.
import { DESCRIPTORS_ADDRESS, Descriptor, PacketFlag, Verdict } from "./abi";
import { beginBurst, beginPacket, resultOf } from "./runtime";

/** Begins a call about packets; returns the address of the first descriptor. */
// @ts-ignore: decorator
@inline
export function glueBurst(): usize {
  beginBurst();
  return DESCRIPTORS_ADDRESS;
}

/** The packet behind this descriptor is the one in hand. */
// @ts-ignore: decorator
@inline
export function gluePacket(descriptor: usize): void {
  beginPacket(descriptor);
}

/** No packet is in hand: a callback about a flow, or the end of a burst. */
// @ts-ignore: decorator
@inline
export function glueNoPacket(): void {
  beginPacket(0);
}

// @ts-ignore: decorator
@inline
export function glueIsFirst(descriptor: usize): bool {
  return ((<u32>changetype<Descriptor>(descriptor).flags) & (<u32>PacketFlag.FIRST)) != 0;
}

// @ts-ignore: decorator
@inline
export function glueState(descriptor: usize): usize {
  return <usize>changetype<Descriptor>(descriptor).state;
}

// @ts-ignore: decorator
@inline
export function glueVerdict(descriptor: usize, verdict: Verdict): void {
  resultOf(descriptor).verdict = <u8>verdict;
}
