// A stateful packet filter. Rules are looked at when a flow begins; from then on its state says whether it may pass.
// classifier.ts finds the rule, connection.ts follows TCP, rule_reader.ts reads the configuration.
import { CONFIG_REFUSED, Flow, NetworkFunction, Packet, TcpFlag, Verdict, configError, counter } from "@nfactor/sdk";
import { arena, arenaBegin } from "./arena";
import { Classifier, MATCH_BYTES, Match, finish, firstMatch, newClassifier } from "./classifier";
import { Config } from "./config";
import { Tracking, follow, quotes } from "./connection";
import { RuleReader } from "./rule_reader";
import { COUNTER_ALLOWED, COUNTER_BLOCKED, Connection, Reason } from "./state";

const ICMP: u32 = 1;
const UDP: u32 = 17;
const ICMPV6: u32 = 58;

let classifier: Classifier = changetype<Classifier>(0);
let wanted: Match = changetype<Match>(0); // what is looked for, so that nothing is allocated for it
let drops: StaticArray<bool> = new StaticArray<bool>(0); // by rule: it drops
let dropsByDefault: bool = false;

/** The rule that a flow in direction d meets: 1 + its number, 0 = the default. `port`: of ICMP type × 256 + code. */
function ruleFor(f: Flow, d: u32, port: u32): u32 {
  const m = wanted;
  const turned = d != 0;
  m.family = f.ipVersion;
  m.protocol = f.protocol;
  m.side = turned ? f.side ^ 1 : f.side;
  m.fromHigh = turned ? f.responderHigh : f.initiatorHigh;
  m.fromLow = turned ? f.responderLow : f.initiatorLow;
  m.toHigh = turned ? f.initiatorHigh : f.responderHigh;
  m.toLow = turned ? f.initiatorLow : f.responderLow;
  const icmp = m.protocol == ICMP || m.protocol == ICMPV6;
  m.fromPort = icmp ? 0 : turned ? f.responderPort : f.initiatorPort;
  m.port = icmp ? port : turned ? f.initiatorPort : f.responderPort;
  return firstMatch(classifier, m) + 1; // NO_RULE is all ones: 0
}

function isDropped(rule: u32): bool {
  return rule == 0 ? dropsByDefault : drops[rule - 1];
}

/** The type of query that a reply answers, or the type itself. */
function askedBy(type: u32, v6: bool): u32 {
  if (v6) return type == 129 ? 128 : type;
  return type == 0 ? 8 : type == 14 ? 13 : type == 16 ? 15 : type == 18 ? 17 : type;
}

/** A packet of a blocked flow. Only a new connection from the other side gets the rules' ear again. */
function blocked(p: Packet, s: Connection): u32 {
  const tcp = p.tcp();
  if (tcp === null || p.direction == 0 || (tcp.flags & (TcpFlag.SYN | TcpFlag.ACK | TcpFlag.RST | TcpFlag.FIN)) != TcpFlag.SYN) return s.tag;
  const rule = ruleFor(p.flow, 1, 0);
  if (isDropped(rule)) return s.tag;
  s.tag = 0;
  s.rule = rule;
  return follow(p, tcp, s);
}

/** A packet without TCP header of a flow that may pass: a datagram, a later fragment, ICMP, an ICMP error. */
function other(p: Packet, s: Connection): u32 {
  if (p.isIcmpError) {
    const inner = p.innerTcp();
    return inner === null || quotes(s, inner.seq, p.direction ^ 1) ? 0 : Reason.OUT_OF_WINDOW;
  }
  const icmp = p.icmp();
  if (icmp === null) return 0;
  const type = icmp.type;
  const d = p.direction;
  const v6 = p.protocol == ICMPV6;
  if (d == 0 ? type == <u32>s.icmpType && icmp.code == <u32>s.icmpCode : askedBy(type, v6) == <u32>s.icmpType && type != <u32>s.icmpType) return 0;
  // The same hosts and identifier, but another question, or one from the other side: not what was allowed.
  return isDropped(ruleFor(p.flow, d, (type << 8) | icmp.code)) ? Reason.POLICY : 0;
}

export class Firewall extends NetworkFunction<Connection, Config> {
  configure(c: Config): u32 {
    let wrong = 0;
    dropsByDefault = c.default == "drop";
    if (!dropsByDefault && c.default != "allow") wrong += refused("default", c.default, "allow or drop");
    Tracking.allowMidstream = c.midstream == "allow";
    if (!Tracking.allowMidstream && c.midstream != "drop") wrong += refused("midstream", c.midstream, "allow or drop");
    Tracking.enforceWindows = c.windows == "enforce";
    if (!Tracking.enforceWindows && c.windows != "ignore") wrong += refused("windows", c.windows, "enforce or ignore");
    const rules = c.rules;
    drops = new StaticArray<bool>(rules.length);
    const text = new RuleReader();
    arenaBegin();
    wanted = changetype<Match>(arena(MATCH_BYTES));
    classifier = newClassifier();
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i];
      drops[i] = rule.action == "drop";
      if (!text.add(classifier, rule, <u32>i)) break;
    }
    if (wrong != 0 || text.errors != 0) return CONFIG_REFUSED;
    finish(classifier);
    return 0;
  }

  open(p: Packet, s: Connection): void {
    const icmp = p.icmp();
    let port: u32 = 0;
    if (icmp !== null && !p.isIcmpError) {
      const type = p.direction == 0 ? icmp.type : askedBy(icmp.type, p.protocol == ICMPV6);
      s.icmpType = <u8>type;
      s.icmpCode = <u8>icmp.code;
      port = (type << 8) | icmp.code;
    }
    const rule = ruleFor(p.flow, 0, port);
    s.rule = rule;
    if (isDropped(rule)) {
      s.tag = Reason.POLICY;
      counter(COUNTER_BLOCKED).add(1);
    } else {
      counter(COUNTER_ALLOWED).add(1);
    }
  }

  process(p: Packet, s: Connection): Verdict {
    let reason: u32;
    if (s.tag == 0) {
      const tcp = p.tcp();
      reason = tcp !== null ? follow(p, tcp, s) : p.protocol == UDP ? 0 : other(p, s);
    } else {
      reason = blocked(p, s);
    }
    return reason == 0 ? Verdict.FORWARD : p.drop(reason);
  }
}

function refused(field: string, given: string, allowed: string): u32 {
  configError(field, "config.field", "'" + given + "' is not allowed; " + allowed);
  return 1;
}
