// Reads HTTP/1 in TCP flows of any port, as it passes, and changes nothing. What it found lies in the flow's state (state.ts).
import { NetworkFunction, NoConfig, Packet, TcpFlag, Verdict } from "@nfactor/sdk";
import { Http } from "./state";
import { acknowledged, begin, segment } from "./stream";

export class HttpParser extends NetworkFunction<Http, NoConfig> {
  process(p: Packet, s: Http): Verdict {
    const tcp = p.tcp();
    // Fragments are left out: bytes behind a first fragment cannot be placed before all fragments are there.
    if (tcp === null || p.isIcmpError || p.isFragment) return Verdict.FORWARD;
    const d = p.direction;
    const flags = tcp.flags;
    const syn = (flags & TcpFlag.SYN) != 0;
    if (syn) begin(s, d, tcp.seq, (flags & TcpFlag.ACK) == 0);
    const length = p.datagramEnd - p.headerLength;
    if ((flags & TcpFlag.ACK) != 0 && s.waiting[d ^ 1] > 0) acknowledged(s, d ^ 1, tcp.ack);
    if (length > 0) segment(s, d, syn ? tcp.seq + 1 : tcp.seq, p.payload.address, min<u32>(p.payload.length, length), length);
    return Verdict.FORWARD;
  }
}
