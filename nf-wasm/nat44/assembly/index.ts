// Source NAT for IPv4: a flow that a client begins gets an outside address and port, which its lease stands for (pool.ts), and keeps
// them in its state. translate.ts writes them into packets. Everything is decided when a flow begins; packets only follow the state.
import { CONFIG_REFUSED, CloseReason, Flow, NetworkFunction, Packet, Side, Verdict, configError, counter } from "@nfactor/sdk";
import { Config } from "./config";
import { addressOf, covers, inPool, isLocal, portOf, setPool } from "./pool";
import { Mapping, Mode, Reason } from "./state";
import { ICMP, TCP, UDP, map, translate, translateError } from "./translate";

const COUNTER_MAPPINGS: u32 = 0;
const COUNTER_EXHAUSTED: u32 = 1;
const COUNTER_ICMP_ERRORS: u32 = 2;
const TCP_RST: u32 = 4;

let passInbound: bool = false;
let passUntranslatable: bool = false;
let tcpTimeoutMs: u32 = 0;
let tcpOpeningTimeoutMs: u32 = 0;
let udpTimeoutMs: u32 = 0;
let icmpTimeoutMs: u32 = 0;

/** True for flows whose port or identifier can be changed. */
function isTranslatable(p: Packet, f: Flow): bool {
  const protocol = f.protocol;
  if (protocol == TCP || protocol == UDP) return true;
  if (protocol != ICMP) return false;
  const icmp = p.icmp();
  if (icmp === null) return false;
  const type = icmp.type;
  return type == 0 || type == 8 || (type >= 13 && type <= 18);
}

function refuse(s: Mapping, reason: u32): void {
  s.mode = Mode.DROP;
  s.reason = <u8>reason;
}

export class Nat44 extends NetworkFunction<Mapping, Config> {
  configure(c: Config): u32 {
    let errors = setPool(c.addresses);
    passInbound = c.inbound == "pass";
    if (!passInbound && c.inbound != "drop") errors += refused("inbound");
    passUntranslatable = c.untranslatable == "pass";
    if (!passUntranslatable && c.untranslatable != "drop") errors += refused("untranslatable");
    tcpTimeoutMs = c.tcpTimeoutMs;
    tcpOpeningTimeoutMs = c.tcpTimeoutMs == 0 ? 0 : c.tcpOpeningTimeoutMs; // a flow that had its own idle time cannot go back to the host's
    udpTimeoutMs = c.udpTimeoutMs;
    icmpTimeoutMs = c.icmpTimeoutMs;
    return errors == 0 ? 0 : CONFIG_REFUSED;
  }

  open(p: Packet, s: Mapping): void {
    const f = p.flow;
    if (f.ipVersion != 4) return;
    const inside = f.initiatorIpv4;
    const server = f.responderIpv4;
    if (f.side == Side.server) {
      if (inPool(server) || !passInbound) refuse(s, Reason.UNSOLICITED);
      return;
    }
    if (inPool(inside)) return refuse(s, Reason.SOURCE_IN_POOL);
    if (inPool(server)) return refuse(s, Reason.UNSOLICITED); // mappings belong to one server each: nobody else can be reached by them
    if (!isTranslatable(p, f) || isLocal(inside, server)) {
      if (!passUntranslatable) refuse(s, Reason.UNTRANSLATABLE);
      return;
    }
    if (p.lease == 0 || !covers(p.lease - 1)) {
      counter(COUNTER_EXHAUSTED).add(1);
      return refuse(s, Reason.NO_PORT);
    }
    const protocol = f.protocol;
    map(s, protocol, inside, f.initiatorPort, addressOf(p.lease - 1), portOf(p.lease - 1));
    s.mode = Mode.TRANSLATE;
    s.isOpening = protocol == TCP ? 1 : 0;
    counter(COUNTER_MAPPINGS).add(1);
    const timeoutMs = protocol == TCP ? tcpOpeningTimeoutMs : protocol == UDP ? udpTimeoutMs : icmpTimeoutMs;
    if (timeoutMs != 0) p.setTimeout(timeoutMs);
  }

  process(p: Packet, s: Mapping): Verdict {
    const mode = s.mode;
    if (mode == Mode.PASS) return Verdict.FORWARD;
    if (mode == Mode.DROP) return p.refuse(<u32>s.reason);
    const ipv4 = p.ipv4();
    if (ipv4 === null) return p.drop(Reason.UNSOLICITED);
    const d = p.direction & 1;
    if (p.isIcmpError) return error(p, s, d);
    if (!translate(p, ipv4, s, d)) return p.drop(Reason.UNSOLICITED);
    if (s.isOpening != 0 && d == 1) answered(p, s);
    return Verdict.FORWARD;
  }
}

function error(p: Packet, s: Mapping, d: u32): Verdict {
  const ipv4 = p.ipv4();
  if (ipv4 === null || !translateError(p, ipv4, s, d)) return p.drop(Reason.UNSOLICITED);
  counter(COUNTER_ICMP_ERRORS).add(1);
  return Verdict.FORWARD;
}

/** The server has answered: from now on the connection may be idle for long. */
function answered(p: Packet, s: Mapping): void {
  const tcp = p.tcp();
  if (tcp === null || tcp.flags & TCP_RST) return;
  s.isOpening = 0;
  p.setTimeout(tcpTimeoutMs);
}

function refused(field: string): u32 {
  configError(field, "config.field", "only drop or pass is allowed");
  return 1;
}
