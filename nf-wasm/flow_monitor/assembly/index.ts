// Counts what passes and changes nothing: packets, bytes, TCP flags, retransmissions, gaps, and round-trip times from handshakes.
// Every array field has two elements, indexed by direction: 0 from the flow's initiator, 1 to it.
import { NetworkFunction, NoConfig, Packet, Tcp, TcpFlag, U16Array, U32Array, U64Array, U8Array, Verdict, counter } from "@nfactor/sdk";

/** A segment below the highest sequence seen is out of order, not a retransmission, if the gap it fills opened this short a time ago. */
const REORDER_NS: u64 = 3_000_000;

const COUNTER_FLOWS: u32 = 0;
const COUNTER_HANDSHAKES: u32 = 1;
const COUNTER_RETRANSMISSIONS: u32 = 2;

/** Stages of the three-way handshake, as far as seen. When one was sent again, it is not known which one was answered (Karn): no round-trip time then. */
const SYN_SEEN: u8 = 1;
const SYN_AGAIN: u8 = 2;
const SYN_ACK_SEEN: u8 = 3;
const SYN_ACK_AGAIN: u8 = 4;
const DONE: u8 = 5;

@flowState
class Monitor {
  @length(2) packets: U64Array;
  @length(2) bytes: U64Array; // whole frames
  @length(2) payloadBytes: U64Array; // TCP and UDP payload
  @length(2) firstNs: U64Array;
  @length(2) lastNs: U64Array;
  rttServerNs: u64; // monitor to responder and back: SYN to SYN+ACK; 0 = not known
  rttClientNs: u64; // monitor to initiator and back: SYN+ACK to ACK
  stageNs: u64; // time of the last step of the handshake
  @length(2) gapNs: U64Array; // when the youngest gap opened; 0 = none
  @length(2) startSeq: U32Array; // the SYN's sequence number, if syn is not 0
  @length(2) nextSeq: U32Array; // the sequence number after the highest seen
  @length(2) retransmissions: U32Array;
  @length(2) retransmittedBytes: U32Array;
  @length(2) outOfOrder: U32Array;
  @length(2) gaps: U32Array;
  @length(2) keepAlives: U32Array;
  @length(2) syn: U32Array;
  @length(2) fin: U32Array;
  @length(2) rst: U32Array;
  @length(2) zeroWindow: U32Array;
  @length(2) fragments: U32Array;
  @length(2) icmpErrors: U32Array;
  @length(2) tcpFlags: U8Array; // all flags ever seen
  @length(2) sequenceKnown: U8Array;
  stage: u8;
}

/** Payload bytes that the IP header promises behind the L4 header (link padding is none). */
@inline
function l4PayloadLength(p: Packet): u32 {
  const end = p.datagramEnd;
  return end > p.headerLength ? end - p.headerLength : 0;
}

/** Times of packets may go back. */
@inline
function since(earlier: u64, time: u64): u64 {
  return time > earlier ? time - earlier : 0;
}

/** `again`: a SYN that has been seen before. */
@inline
function handshake(s: Monitor, d: u32, syn: bool, ack: bool, again: bool, time: u64): void {
  const stage = s.stage;
  if (syn && !ack && d == 0) {
    if (!again) {
      s.stage = SYN_SEEN;
      s.stageNs = time;
    } else if (stage == SYN_SEEN) {
      s.stage = SYN_AGAIN;
    }
  } else if (syn && ack && d == 1) {
    if (stage == SYN_SEEN || stage == SYN_AGAIN) {
      if (stage == SYN_SEEN) s.rttServerNs = since(s.stageNs, time);
      s.stage = SYN_ACK_SEEN;
      s.stageNs = time;
    } else if (stage == SYN_ACK_SEEN) {
      s.stage = SYN_ACK_AGAIN;
    }
  } else if (!syn && ack && d == 0 && (stage == SYN_ACK_SEEN || stage == SYN_ACK_AGAIN)) {
    if (stage == SYN_ACK_SEEN) s.rttClientNs = since(s.stageNs, time);
    s.stage = DONE;
    counter(COUNTER_HANDSHAKES).add(1);
  }
}

/** The sequence space of direction d begins, or begins anew. */
@inline
function begin(s: Monitor, d: u32, next: u32): void {
  s.sequenceKnown[d] = 1;
  s.nextSeq[d] = next;
  s.gapNs[d] = 0;
}

/** Follows the sequence space of one direction (RFC 9293, serial arithmetic). `onlyData`: neither SYN nor FIN is in `length`. */
@inline
function follow(s: Monitor, d: u32, seq: u32, length: u32, onlyData: bool, time: u64): void {
  const end = seq + length;
  if (s.sequenceKnown[d] == 0) return begin(s, d, end);
  const next = s.nextSeq[d];
  const ahead = <i32>(seq - next);
  if (ahead == -1 && length <= 1 && onlyData) {
    s.keepAlives[d] = s.keepAlives[d] + 1;
    return;
  }
  if (length == 0) return;
  if (ahead >= 0) {
    if (ahead > 0) {
      s.gaps[d] = s.gaps[d] + 1;
      s.gapNs[d] = time;
    }
    s.nextSeq[d] = end;
    return;
  }
  const beyond = <i32>(end - next) > 0;
  const gapNs = s.gapNs[d];
  if (gapNs != 0 && since(gapNs, time) < REORDER_NS && !beyond) {
    s.outOfOrder[d] = s.outOfOrder[d] + 1;
    return;
  }
  s.retransmissions[d] = s.retransmissions[d] + 1;
  s.retransmittedBytes[d] = s.retransmittedBytes[d] + (beyond ? <u32>-ahead : length);
  counter(COUNTER_RETRANSMISSIONS).add(1);
  if (beyond) s.nextSeq[d] = end;
}

@inline
function tcp(p: Packet, t: Tcp, s: Monitor, d: u32, time: u64): void {
  const flags = t.flags;
  const seq = t.seq;
  s.tcpFlags[d] = <u8>(s.tcpFlags[d] | flags);
  const syn = (flags & TcpFlag.SYN) != 0;
  const fin = (flags & TcpFlag.FIN) != 0;
  const again = syn && s.syn[d] != 0 && s.startSeq[d] == seq;
  if (syn) s.syn[d] = s.syn[d] + 1;
  if (fin) s.fin[d] = s.fin[d] + 1;
  if (flags & TcpFlag.RST) {
    s.rst[d] = s.rst[d] + 1;
    return; // its sequence number says nothing of data sent
  }
  let length = l4PayloadLength(p);
  if (syn) {
    s.startSeq[d] = seq;
    length += 1;
  }
  if (fin) length += 1;
  if (t.window == 0) s.zeroWindow[d] = s.zeroWindow[d] + 1;
  handshake(s, d, syn, (flags & TcpFlag.ACK) != 0, again, time);
  if (p.isFragment)
    s.sequenceKnown[d] = 0; // how far the segment reaches, the later fragments would have to say
  else if (syn && !again) begin(s, d, seq + length);
  else follow(s, d, seq, length, !syn && !fin, time);
}

export class FlowMonitor extends NetworkFunction<Monitor, NoConfig> {
  open(p: Packet, s: Monitor): void {
    counter(COUNTER_FLOWS).add(1);
  }

  process(p: Packet, s: Monitor): Verdict {
    const d = p.direction;
    const time = p.timeNs;
    if (s.packets[d] == 0) s.firstNs[d] = time;
    s.lastNs[d] = time;
    s.packets[d] = s.packets[d] + 1;
    s.bytes[d] = s.bytes[d] + p.wireLength;
    if (p.isIcmpError) {
      s.icmpErrors[d] = s.icmpErrors[d] + 1;
      return Verdict.FORWARD;
    }
    if (p.isFragment) s.fragments[d] = s.fragments[d] + 1;
    s.payloadBytes[d] = s.payloadBytes[d] + l4PayloadLength(p);
    const t = p.tcp();
    if (t !== null) tcp(p, t, s, d, time);
    return Verdict.FORWARD;
  }
}
