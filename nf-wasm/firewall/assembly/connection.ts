// Follows a TCP connection (RFC 9293): its handshake, and for each side how far it has sent and how far it may.
//
// A firewall between the hosts sees each segment once, on its way, so it knows bounds and not exact values: what side d may send
// ends at the highest (acknowledgement + window) of the other side; it begins one window before the highest that d has sent. A
// segment or an acknowledgement outside is not of this connection, or comes too late to matter.
import { Packet, Tcp, TcpFlag, counter } from "@nfactor/sdk";
import { COUNTER_MIDSTREAM, Connection, NO_SCALE, Reason, Stage } from "./state";

/** Acknowledgements may lag by this much at least: 64 KiB in flight and what is acknowledged late. */
const ACK_LAG: u32 = 66_000;
/** What is taken for the window of a side that was not seen: the largest there is, 65,535 × 2^14. */
const WINDOW_MAX: u32 = 65_535 << 14;
const SCALE_MAX: u32 = 14;
const BEGINS: u32 = TcpFlag.SYN | TcpFlag.FIN | TcpFlag.RST | TcpFlag.ACK;

/** Settings of the configuration. */
export namespace Tracking {
  export let allowMidstream: bool = true;
  export let enforceWindows: bool = true;
}

/** Serial arithmetic: a lies behind b. */
@inline
function behind(a: u32, b: u32): bool {
  return <i32>(a - b) > 0;
}

/** Bytes that a segment has behind its header. */
@inline
function dataLength(p: Packet): u32 {
  return p.datagramEnd - p.headerLength;
}

/** 0 = the segment may pass, else why not. */
@inline
export function follow(p: Packet, t: Tcp, s: Connection): u32 {
  // Most segments are of this kind: no beginning, no end, one part of a datagram.
  if (s.stage == Stage.ESTABLISHED && (t.flags & BEGINS) == TcpFlag.ACK && !p.isFragment) {
    const seq = t.seq;
    return inWindow(t, s, p.direction & 1, seq, seq + dataLength(p));
  }
  return special(p, t, s);
}

/** Checks a segment with ACK against both windows, and moves them. `end` is the number behind its last byte. */
@inline
function inWindow(t: Tcp, s: Connection, d: u32, seq: u32, end: u32): u32 {
  const o = d ^ 1;
  const ack = t.ack;
  const window = max<u32>(t.window << s.scale[d], 1);
  const sent = s.end[d];
  const acknowledgeable = s.end[o];
  const offered = s.window[d];
  if (Tracking.enforceWindows) {
    if (behind(end, s.limit[d]) || behind(sent - s.window[o] - 1, seq)) return Reason.OUT_OF_WINDOW;
    if (behind(ack, acknowledgeable) || behind(acknowledgeable - max<u32>(offered, ACK_LAG), ack)) return Reason.OUT_OF_WINDOW;
  }
  if (behind(end, sent)) s.end[d] = end;
  if (window > offered) s.window[d] = window;
  if (behind(ack + window, s.limit[o])) s.limit[o] = ack + window;
  return 0;
}

/** Everything but the plain segments of an established connection. */
function special(p: Packet, t: Tcp, s: Connection): u32 {
  const flags = t.flags & BEGINS;
  const d = p.direction & 1;
  const syn = (flags & TcpFlag.SYN) != 0;
  if (flags == 0 || flags == TcpFlag.FIN || (syn && (flags & (TcpFlag.FIN | TcpFlag.RST)) != 0)) return Reason.TCP_FLAGS;
  if ((flags & (TcpFlag.FIN | TcpFlag.RST)) == (TcpFlag.FIN | TcpFlag.RST)) return Reason.TCP_FLAGS;
  if (s.stage == Stage.NONE) {
    if (flags != TcpFlag.SYN) return pickUp(p, t, s, d);
    begin(p, t, s, d);
    s.opener = <u8>d;
    s.stage = Stage.SYN_SENT;
    return 0;
  }
  if (s.stage == Stage.SYN_SENT) return d == <u32>s.opener ? again(p, t, s, d, flags) : answer(p, t, s, d, flags);
  if (flags == TcpFlag.SYN) return anotherSyn(t, s, d);
  if (flags & TcpFlag.RST) return reset(t, s, d);
  if (syn) return synAck(p, t, s, d);
  return segment(p, t, s, d, (flags & TcpFlag.FIN) != 0);
}

/** Takes down the SYN of a side. */
function begin(p: Packet, t: Tcp, s: Connection, d: u32): void {
  s.synNext[d] = t.seq + 1;
  s.end[d] = t.seq + 1 + dataLength(p);
  s.window[d] = max<u32>(t.window, 1); // never scaled in a SYN
  s.scale[d] = <u8>scaleOption(t);
}

/** Both SYNs are known: from here on, both windows are. A scale counts only if both sides sent one. */
function meet(s: Connection): void {
  if (<u32>s.scale[0] == NO_SCALE || <u32>s.scale[1] == NO_SCALE) {
    s.scale[0] = 0;
    s.scale[1] = 0;
  }
  s.limit[0] = s.synNext[0] + s.window[1];
  s.limit[1] = s.synNext[1] + s.window[0];
  // Data in a SYN (TCP Fast Open) may be more than the other side's window.
  if (behind(s.end[0], s.limit[0])) s.limit[0] = s.end[0];
  if (behind(s.end[1], s.limit[1])) s.limit[1] = s.end[1];
}

/** The acknowledgement covers the SYN of side d, and nothing that it did not send. */
function acknowledges(t: Tcp, s: Connection, d: u32): bool {
  return t.ack - s.synNext[d] <= s.end[d] - s.synNext[d];
}

/** The side that sent the SYN goes on before there was an answer. */
function again(p: Packet, t: Tcp, s: Connection, d: u32, flags: u32): u32 {
  if (flags == TcpFlag.SYN) {
    begin(p, t, s, d); // the same again, or another try
    return 0;
  }
  // It refuses an answer to something older that it does not know any more.
  if (flags & TcpFlag.RST) return 0;
  return pickUp(p, t, s, d);
}

/** The first packets of the other side. */
function answer(p: Packet, t: Tcp, s: Connection, d: u32, flags: u32): u32 {
  const o = d ^ 1;
  if (flags == TcpFlag.SYN) {
    begin(p, t, s, d);
    meet(s);
    s.stage = Stage.SIMULTANEOUS;
    return 0;
  }
  if (!(flags & TcpFlag.ACK)) return Reason.TCP_STATE; // a RST that answers a SYN acknowledges it
  const known = acknowledges(t, s, o);
  if (flags & TcpFlag.SYN) {
    if (!known) return Reason.OUT_OF_WINDOW;
    begin(p, t, s, d);
    meet(s);
    s.stage = Stage.SYN_RECEIVED;
    return 0;
  }
  if (flags & TcpFlag.RST) {
    if (!known) return Reason.OUT_OF_WINDOW;
    s.stage = Stage.RESET;
    return 0;
  }
  // A host that still has the connection before this one asks so for a RST (RFC 5961, section 4).
  if (!known) return dataLength(p) == 0 && (flags & TcpFlag.FIN) == 0 ? 0 : Reason.OUT_OF_WINDOW;
  return pickUp(p, t, s, d); // its SYN was not seen
}

/** A SYN in the middle of a connection: the one of the handshake again, or a host that forgot. The other side decides by its answer. */
function anotherSyn(t: Tcp, s: Connection, d: u32): u32 {
  if (t.seq + 1 == s.synNext[d] && s.midstream == 0) return 0;
  s.newSyn = t.seq + 1;
  s.newSynFrom = <u8>(d + 1);
  return 0;
}

function synAck(p: Packet, t: Tcp, s: Connection, d: u32): u32 {
  const o = d ^ 1;
  if (<u32>s.newSynFrom == o + 1 && t.ack == s.newSyn) {
    // The new SYN was accepted: what was known of the connection before it counts no more.
    s.fins = 0;
    s.newSynFrom = 0;
    learn(p, t, s, d);
    s.synNext[o] = s.newSyn;
    s.synNext[d] = t.seq + 1;
    return 0;
  }
  if (s.midstream == 0 && Tracking.enforceWindows && (t.seq + 1 != s.synNext[d] || !acknowledges(t, s, o))) return Reason.OUT_OF_WINDOW;
  return inWindow(t, s, d, t.seq, t.seq + 1 + dataLength(p));
}

/**
 * A RST counts if its number lies between what the other side has acknowledged and what it is ready to take. One less is harmless,
 * and usual where a closed socket answers a segment from before the FIN was acknowledged.
 */
function reset(t: Tcp, s: Connection, d: u32): u32 {
  const limit = s.limit[d];
  if (Tracking.enforceWindows && (behind(t.seq, limit) || behind(limit - s.window[d ^ 1] - 1, t.seq))) return Reason.OUT_OF_WINDOW;
  s.stage = Stage.RESET;
  return 0;
}

/** A segment with ACK, without SYN and RST. */
function segment(p: Packet, t: Tcp, s: Connection, d: u32, fin: bool): u32 {
  let end = t.seq + dataLength(p) + (fin ? 1 : 0);
  // Of a segment in fragments, only the first shows its header: the others may hold up to 64 KiB more.
  if (p.isFragment) end = behind(t.seq + 65_535, s.limit[d]) && !behind(end, s.limit[d]) ? s.limit[d] : t.seq + 65_535;
  if (Tracking.enforceWindows && ((<u32>s.fins) & ((<u32>1) << d)) != 0 && behind(end, s.end[d])) return Reason.TCP_STATE; // nothing comes behind a FIN
  if (s.stage == Stage.ONE_SIDED) oneSided(t, s, d, end);
  const reason = inWindow(t, s, d, t.seq, end);
  if (reason != 0) return reason;
  if (fin) {
    s.fins = <u8>((<u32>s.fins) | ((<u32>1) << d));
    if (s.stage != Stage.RESET && s.stage != Stage.ONE_SIDED) s.stage = Stage.CLOSING;
  } else if (s.stage == Stage.SIMULTANEOUS || (s.stage == Stage.SYN_RECEIVED && d == <u32>s.opener)) {
    s.stage = Stage.ESTABLISHED;
  }
  return 0;
}

/** As long as the other side is not seen, this one says how far both are. */
function oneSided(t: Tcp, s: Connection, d: u32, end: u32): void {
  if (d != <u32>s.opener) {
    s.stage = s.fins ? Stage.CLOSING : Stage.ESTABLISHED;
    return;
  }
  if (behind(t.ack, s.end[d ^ 1])) s.end[d ^ 1] = t.ack;
  if (behind(end, s.end[d])) s.limit[d] = end + WINDOW_MAX;
}

/** A connection whose beginning was not seen. */
function pickUp(p: Packet, t: Tcp, s: Connection, d: u32): u32 {
  if (!Tracking.allowMidstream) return Reason.TCP_STATE;
  const flags = t.flags;
  if (flags & TcpFlag.RST || !(flags & TcpFlag.ACK)) return 0; // nothing can be learnt from it
  learn(p, t, s, d);
  return 0;
}

/** Takes the windows from one segment; what it does not tell counts as the most there can be. */
function learn(p: Packet, t: Tcp, s: Connection, d: u32): void {
  const o = d ^ 1;
  const flags = t.flags;
  const extra: u32 = flags & (TcpFlag.SYN | TcpFlag.FIN) ? 1 : 0;
  s.midstream = 1;
  counter(COUNTER_MIDSTREAM).add(1);
  s.stage = Stage.ONE_SIDED;
  s.opener = <u8>d;
  s.fins = <u8>(flags & TcpFlag.FIN ? (<u32>1) << d : 0);
  s.scale[d] = <u8>SCALE_MAX;
  s.scale[o] = <u8>SCALE_MAX;
  s.window[d] = WINDOW_MAX;
  s.window[o] = WINDOW_MAX;
  s.end[d] = t.seq + dataLength(p) + extra;
  s.limit[d] = s.end[d] + WINDOW_MAX;
  s.end[o] = t.ack;
  s.limit[o] = t.ack + WINDOW_MAX;
}

/** Shift of the window scale option, at most 14 (RFC 7323), or NO_SCALE. */
function scaleOption(t: Tcp): u32 {
  const end = t.headerLength - 20;
  for (let i: u32 = 0; i < end;) {
    const kind = t.optionByte(i);
    if (kind == 0) break;
    if (kind == 1) {
      i++;
      continue;
    }
    const length = t.optionByte(i + 1);
    if (length < 2 || i + length > end) break;
    if (kind == 3 && length == 3) return min<u32>(t.optionByte(i + 2), SCALE_MAX);
    i += length;
  }
  return NO_SCALE;
}

/** An ICMP error quotes a segment that went the other way: one that cannot have been sent is a forgery (RFC 5927, section 4). */
export function quotes(s: Connection, seq: u32, from: u32): bool {
  if (!Tracking.enforceWindows || s.stage < Stage.SYN_RECEIVED) return true;
  const end = s.end[from];
  return !behind(seq, end) && !behind(end - s.window[from ^ 1] - 1, seq);
}
