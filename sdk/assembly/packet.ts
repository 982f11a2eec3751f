// The packet in hand: a view of its descriptor. Valid during the call of open or process that got it.
//
// Each header view is had after one check and is null when there is no such header: another protocol, a later fragment, an ICMP
// error (whose inner headers are innerIpv4() and so on), or too few bytes.
import {
  DESCRIPTORS_ADDRESS,
  Descriptor,
  EMIT_AREA,
  EMIT_RECORDS_ADDRESS,
  EMIT_RECORD_BYTES,
  EMIT_STRIDE,
  EMITS_PER_BURST_MAX,
  EMITS_PER_PACKET_MAX,
  EmitRecord,
  FRAME_BYTES_MAX,
  PacketFlag,
  ResultFlag,
  Verdict,
} from "./abi";
import { PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP } from "./checksum";
import { Ethernet, Vlan } from "./ethernet";
import { Flow } from "./flow";
import { Frame } from "./frame";
import { Header } from "./header";
import { Icmp } from "./icmp";
import { InnerIcmp, InnerIpv4, InnerIpv6, InnerTcp, InnerUdp, innerProtocol } from "./inner";
import { Ipv4 } from "./ipv4";
import { Ipv6 } from "./ipv6";
import { Payload } from "./payload";
import { countEmit, emitted, indexOf, now, reshaped, resultOf } from "./runtime";
import { Tcp } from "./tcp";
import { Udp } from "./udp";

@unmanaged
@final
export class Packet {
  // prettier-ignore
  @inline private get d(): Descriptor { return changetype<Descriptor>(this); }
  // prettier-ignore
  @inline private get l4(): usize { return <usize>this.d.header + <usize>this.d.l4_offset; }
  // prettier-ignore
  @inline private has(flag: u32): bool { return (<u32>this.d.flags & flag) != 0; }

  /** 0 from the flow's initiator, 1 to it. */
  @inline get direction(): u32 {
    return <u32>this.d.direction;
  }
  /** The first packet of the flow that this NF sees: open was called just before. */
  @inline get isFirst(): bool {
    return this.has(PacketFlag.FIRST);
  }
  @inline get isFragment(): bool {
    return this.has(PacketFlag.FRAGMENT);
  }
  /** A fragment without the L4 header. */
  @inline get isLaterFragment(): bool {
    return this.has(PacketFlag.LATER_FRAGMENT);
  }
  /** The capture has fewer bytes than the wire had. */
  @inline get isTruncated(): bool {
    return this.has(PacketFlag.TRUNCATED);
  }
  /** An ICMP error about this flow. */
  @inline get isIcmpError(): bool {
    return this.has(PacketFlag.ICMP_ERROR);
  }
  @inline get isChecksumGood(): bool {
    return this.has(PacketFlag.CHECKSUM_GOOD);
  }
  /**
   * When the packet came, in nanoseconds since the epoch. Of a capture its own time, which may lie behind now() by up to 100 µs and go back within
   * a call; live it is now().
   */
  @inline get timeNs(): u64 {
    return now() + this.d.after_now_ns;
  }
  /** Bytes of the frame on the wire. */
  @inline get wireLength(): u32 {
    return this.d.wire_length;
  }
  /** Number of the flow, from 1. */
  @inline get flowId(): u64 {
    return this.d.flow_id;
  }
  /** Packets of the flow before this one, both directions. */
  @inline get sequence(): u32 {
    return this.d.sequence;
  }
  /** 1 + index into the lease pool; 0 = none. */
  @inline get lease(): u32 {
    return this.d.lease;
  }
  /** IP protocol of this packet; for an ICMP error that of ICMP, not of the flow. */
  @inline get protocol(): u32 {
    return <u32>this.d.l4_protocol;
  }
  @inline get l3Offset(): u32 {
    return <u32>this.d.l3_offset;
  }
  @inline get l4Offset(): u32 {
    return <u32>this.d.l4_offset;
  }
  /** Bytes from the Ethernet header to the end of the L4 header (of an ICMP error: of the inner packet's first 8 L4 bytes). */
  @inline get headerLength(): u32 {
    return <u32>this.d.header_length;
  }
  /** Where the IP datagram ends in the frame; what lies behind is link padding. Its part behind headerLength may not have been captured. */
  @inline get datagramEnd(): u32 {
    const ip = <usize>this.d.header + <usize>this.d.l3_offset;
    return <u32>this.d.l3_offset + (load<u8>(ip) >> 4 == 4 ? <u32>bswap<u16>(load<u16>(ip, 2)) : 40 + <u32>bswap<u16>(load<u16>(ip, 4)));
  }
  @inline get headerRoom(): u32 {
    return <u32>this.d.header_room;
  }
  @inline get payloadRoom(): u32 {
    return <u32>this.d.payload_room;
  }
  @inline get flow(): Flow {
    return changetype<Flow>(<usize>this.d.flow);
  }

  @inline ethernet(): Ethernet {
    return changetype<Ethernet>(<usize>this.d.header);
  }
  /** Tag i from the outside, 0 or 1. */
  @inline vlan(i: u32): Vlan | null {
    // Behind the two addresses, 4 bytes each; the last EtherType ends at the IP header.
    return i < 2 && 18 + (i << 2) <= <u32>this.d.l3_offset ? changetype<Vlan>(<usize>this.d.header + 12 + <usize>(i << 2)) : null;
  }
  @inline ipv4(): Ipv4 | null {
    const ip = <usize>this.d.header + <usize>this.d.l3_offset;
    return load<u8>(ip) >> 4 == 4 ? changetype<Ipv4>(ip) : null;
  }
  @inline ipv6(): Ipv6 | null {
    const ip = <usize>this.d.header + <usize>this.d.l3_offset;
    return load<u8>(ip) >> 4 == 6 ? changetype<Ipv6>(ip) : null;
  }
  @inline private fits(protocol: u32, bytes: u32): bool {
    return this.protocol == protocol && !this.isLaterFragment && this.l4Offset + bytes <= this.headerLength;
  }
  @inline tcp(): Tcp | null {
    return this.fits(PROTOCOL_TCP, 20) ? changetype<Tcp>(this.l4) : null;
  }
  @inline udp(): Udp | null {
    return this.fits(PROTOCOL_UDP, 8) ? changetype<Udp>(this.l4) : null;
  }
  /** ICMP or ICMPv6, errors included. */
  @inline icmp(): Icmp | null {
    return this.fits(PROTOCOL_ICMP, 8) || this.fits(PROTOCOL_ICMPV6, 8) ? changetype<Icmp>(this.l4) : null;
  }

  /** Of an ICMP error: the header of the packet that it is about. */
  @inline innerIpv4(): InnerIpv4 | null {
    return this.isIcmpError && load<u8>(this.l4, 8) >> 4 == 4 ? changetype<InnerIpv4>(this.l4 + 8) : null;
  }
  @inline innerIpv6(): InnerIpv6 | null {
    return this.isIcmpError && load<u8>(this.l4, 8) >> 4 == 6 ? changetype<InnerIpv6>(this.l4 + 8) : null;
  }
  /** IP protocol of the packet that an ICMP error is about; 0 if this is none. */
  @inline get innerProtocol(): u32 {
    return this.isIcmpError ? innerProtocol(this.l4 + 8, <usize>this.d.header + <usize>this.d.header_length - 8) : 0;
  }
  // The inner L4 header's first 8 bytes are the last 8 of the header bytes.
  // prettier-ignore
  @inline private get innerL4(): usize { return <usize>this.d.header + <usize>this.d.header_length - 8; }
  @inline innerTcp(): InnerTcp | null {
    return this.innerProtocol == PROTOCOL_TCP ? changetype<InnerTcp>(this.innerL4) : null;
  }
  @inline innerUdp(): InnerUdp | null {
    return this.innerProtocol == PROTOCOL_UDP ? changetype<InnerUdp>(this.innerL4) : null;
  }
  @inline innerIcmp(): InnerIcmp | null {
    const protocol = this.innerProtocol;
    return protocol == PROTOCOL_ICMP || protocol == PROTOCOL_ICMPV6 ? changetype<InnerIcmp>(this.innerL4) : null;
  }

  /** What lies behind the headers; its length is 0 without `view: payload`. */
  @inline get payload(): Payload {
    return changetype<Payload>(this);
  }
  /** The header bytes as they are, for protocols without a view. Bounds-checked; setters leave checksums alone. */
  @inline get header(): Header {
    return changetype<Header>(this);
  }

  /** Drop. The reason is 128 to 255, named in nf.yaml, or 0. The flow lives on. */
  @inline drop(reason: u32 = 0): Verdict {
    resultOf(changetype<usize>(this)).drop_reason = <u8>reason;
    return Verdict.DROP;
  }
  /** Drop and close. On the first packet of a flow: refuse it, which the host remembers for a second. */
  @inline refuse(reason: u32 = 0): Verdict {
    this.closeFlow();
    return this.drop(reason);
  }
  /** Ends the flow after this call. */
  @inline closeFlow(): void {
    const result = resultOf(changetype<usize>(this));
    result.flags = <u16>((<u32>result.flags) | (<u32>ResultFlag.CLOSE_FLOW));
  }
  /** The flow's new idle time. Shares its field with armTimer: the later call of the two counts. */
  @inline setTimeout(ms: u32): void {
    const result = resultOf(changetype<usize>(this));
    result.flags = <u16>((<u32>result.flags) & ~(<u32>ResultFlag.ARM_TIMER));
    result.timeout = ms;
  }
  /** Calls timer() in ms milliseconds; 0 disarms. */
  @inline armTimer(ms: u32): void {
    const result = resultOf(changetype<usize>(this));
    result.flags = <u16>((<u32>result.flags) | (<u32>ResultFlag.ARM_TIMER));
    result.timeout = ms;
  }
  /** Asks the host to call migrationTarget for this flow soon, of whichever NFs of the chain have it. */
  @inline askMigrate(): void {
    const result = resultOf(changetype<usize>(this));
    result.flags = <u16>((<u32>result.flags) | (<u32>ResultFlag.ASK_MIGRATE));
  }
  /** Back to where it came from, through the NFs before this one. The NF swaps the addresses. Needs `reply: true`. */
  reply(): Verdict {
    return Verdict.REPLY;
  }
  /** New lengths of header and payload, after the bytes were written. Needs `reshape: true`; at most headerRoom and payloadRoom. */
  @inline reshape(headerLength: u32, payloadLength: u32): void {
    if (headerLength > this.headerRoom || payloadLength > this.payloadRoom) throw new RangeError("reshape: longer than the room");
    reshaped(headerLength, payloadLength);
  }
  /**
   * A frame to send besides the packet, of `length` zero bytes, in this direction through the NFs behind this one. Null when the
   * packet has caused two already, or the length is not 14 to 9,216. Needs `emits` above 0.
   */
  emit(length: u32, direction: u32): Frame | null {
    if (length < 14 || length > FRAME_BYTES_MAX || emitted >= EMITS_PER_BURST_MAX) return null;
    const index = indexOf(changetype<usize>(this));
    let record = EMIT_RECORDS_ADDRESS + <usize>emitted * EMIT_RECORD_BYTES;
    if (emitted >= EMITS_PER_PACKET_MAX) {
      const first = changetype<EmitRecord>(record - <usize>EMITS_PER_PACKET_MAX * EMIT_RECORD_BYTES);
      if (<u32>first.packet == index) return null;
    }
    const number = countEmit();
    record = EMIT_RECORDS_ADDRESS + <usize>number * EMIT_RECORD_BYTES;
    const address = EMIT_AREA + <usize>number * <usize>EMIT_STRIDE;
    memory.fill(address, 0, <usize>length);
    const emit = changetype<EmitRecord>(record);
    emit.frame = <u32>address;
    emit.length = <u16>length;
    emit.direction = <u8>direction;
    emit.packet = <u8>index;
    return changetype<Frame>(record);
  }
}
