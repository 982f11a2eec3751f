// From the configuration's texts to compiled rules. Says through configError what is wrong.
import { configError } from "@nfactor/sdk";
import { Prefix, readPrefix } from "./address";
import { ANY_PROTOCOL, ANY_SIDE, Classifier, MATCH_BYTES, Match, PROTOCOL_WITH_PORTS, addPorts, classifierHasRoom, hasPorts, pairOf } from "./classifier";
import { Rule } from "./config";
import { icmpTypeOf, protocolOf } from "./names";
import { Text } from "./text";

const COMMA: i32 = 44;
const DASH: i32 = 45;
const SLASH: i32 = 47;
/** Errors reported at once: the log holds 16 lines. */
const ERRORS_MAX: u32 = 8;
const ICMP: u32 = 1;
const ICMPV6: u32 = 58;

/** A text of the configuration as errors show it. */
function quoted(text: string): string {
  return text.length > 40 ? "'" + text.substring(0, 40) + "...'" : "'" + text + "'";
}

/** Ranges of ports, of one field. */
@final
class Ports {
  low: StaticArray<u32> = new StaticArray<u32>(64);
  high: StaticArray<u32> = new StaticArray<u32>(64);
  count: u32 = 0;
  add(low: u32, high: u32): void {
    this.low[this.count] = low;
    this.high[this.count] = high;
    this.count += 1;
  }
}

@final
export class RuleReader {
  errors: u32 = 0;
  // All that reading needs is made once: what configure allocates is never given back.
  private match: Match = changetype<Match>(heap.alloc(MATCH_BYTES));
  private text: Text = new Text();
  private from: Prefix = new Prefix();
  private to: Prefix = new Prefix();
  private ports: Ports = new Ports();
  private fromPorts: Ports = new Ports();
  private blockLengths: StaticArray<u32> = new StaticArray<u32>(64 * 30);
  private blockStarts: StaticArray<u32> = new StaticArray<u32>(64 * 30);
  private blocks: u32 = 0;

  /** Adds rule i. False if it makes no sense to go on: there were too many errors, or there is no memory. */
  add(c: Classifier, rule: Rule, i: u32): bool {
    const before = this.errors;
    this.read(rule, i);
    if (this.errors != before) return this.errors < ERRORS_MAX;
    if (!classifierHasRoom(c, this.ports.count, this.blocks)) {
      this.wrong(i, "", "config.too_large", "there is no memory for this rule and those behind it");
      return false;
    }
    const m = this.match;
    const pair = pairOf(c, m, i);
    for (let b: u32 = 0; b < this.blocks; b++) {
      for (let r: u32 = 0; r < this.ports.count; r++) {
        addPorts(c, m, pair, this.blockLengths[b], this.blockStarts[b], this.ports.low[r], this.ports.high[r], i);
      }
    }
    return true;
  }

  private read(rule: Rule, i: u32): void {
    const before = this.errors;
    const m = this.match;
    if (rule.action != "allow" && rule.action != "drop") {
      this.wrong(
        i,
        ".action",
        "config.field",
        rule.action == "" ? "a rule needs an action; allow or drop" : quoted(rule.action) + " is no action; allow or drop",
      );
    }
    this.prefixes(m, rule, i);
    this.protocolAndSide(m, rule, i);
    if (this.errors != before) return;
    this.readPorts(this.ports, rule.ports, "ports", i);
    this.readPorts(this.fromPorts, rule.fromPorts, "fromPorts", i);
    this.icmp(m, rule, i);
    if (this.errors == before) this.cutBlocks();
  }

  private wrong(i: u32, field: string, code: string, what: string): void {
    this.errors += 1;
    configError("rules[" + i.toString() + "]" + field, code, what);
  }

  private prefixes(m: Match, rule: Rule, i: u32): void {
    const from = this.from;
    const to = this.to;
    const fromGood = readPrefix(this.text, rule.from, from);
    const toGood = readPrefix(this.text, rule.to, to);
    if (!fromGood) this.wrong(i, ".from", "config.prefix", quoted(rule.from) + " is no address or prefix");
    if (!toGood) this.wrong(i, ".to", "config.prefix", quoted(rule.to) + " is no address or prefix");
    if (!fromGood || !toGood) return;
    if (from.family != 0 && to.family != 0 && from.family != to.family) {
      this.wrong(i, ".to", "config.prefix", "from and to are of different IP versions, so no packet can match");
      return;
    }
    m.family = max<u32>(from.family, to.family);
    // An any beside an IPv4 prefix is the whole of the mapped addresses; its length 0 holds them as well.
    m.fromHigh = from.high;
    m.fromLow = from.low;
    m.fromLength = from.length;
    m.toHigh = to.high;
    m.toLow = to.low;
    m.toLength = to.length;
  }

  private protocolAndSide(m: Match, rule: Rule, i: u32): void {
    const protocol = protocolOf(this.text, rule.protocol);
    if (protocol < 0) this.wrong(i, ".protocol", "config.field", quoted(rule.protocol) + " is no protocol; tcp, udp, icmp, icmpv6, any, or 0 to 255");
    m.protocol = <u32>protocol;
    const side = rule.side;
    m.side = side == "client" ? 0 : side == "server" ? 1 : ANY_SIDE;
    if (m.side == ANY_SIDE && side != "any" && side != "") this.wrong(i, ".side", "config.field", quoted(rule.side) + " is no side; client, server or any");
    if ((m.protocol == ICMP && m.family == 6) || (m.protocol == ICMPV6 && m.family == 4)) {
      this.wrong(i, ".protocol", "config.field", m.family == 6 ? "IPv6 prefixes go with icmpv6" : "IPv4 prefixes go with icmp");
    }
  }

  private readPorts(ports: Ports, given: string, field: string, i: u32): void {
    ports.count = 0;
    const text = given;
    if (text == "" || text == "any") {
      ports.add(0, 65535);
      return;
    }
    const m = this.match;
    if (m.protocol == ANY_PROTOCOL) m.protocol = PROTOCOL_WITH_PORTS;
    if (m.protocol != PROTOCOL_WITH_PORTS && !hasPorts(m.protocol)) {
      this.wrong(i, "." + field, "config.field", "this protocol has no ports");
      return;
    }
    const t = this.text.begin(text);
    do {
      t.blanks();
      const low = t.decimal(65535);
      let high = low;
      t.blanks();
      if (t.take(DASH)) {
        t.blanks();
        high = t.decimal(65535);
        t.blanks();
      }
      if (low < 0 || high < 0 || (!t.ended && t.next != COMMA)) {
        this.wrong(i, "." + field, "config.port_range", quoted(given) + ": a port is 0 to 65535, a range low-high");
        return;
      }
      if (high < low) {
        this.wrong(i, "." + field, "config.port_range", quoted(given) + ": the first is above the last; write " + high.toString() + "-" + low.toString());
        return;
      }
      if (ports.count == 64) {
        this.wrong(i, "." + field, "config.port_range", "more than 64 ranges in one rule");
        return;
      }
      ports.add(<u32>low, <u32>high);
    } while (t.take(COMMA));
  }

  /** An ICMP type is a range of type × 256 + code, in place of ports. */
  private icmp(m: Match, rule: Rule, i: u32): void {
    const text = rule.icmpType;
    if (text == "" || text == "any") return;
    if (m.protocol != ICMP && m.protocol != ICMPV6) {
      this.wrong(i, ".icmpType", "config.field", "an ICMP type needs protocol icmp or icmpv6");
      return;
    }
    let low = icmpTypeOf(text, m.protocol == ICMPV6) << 8;
    let high = low + 255;
    if (low < 0) {
      const t = this.text.begin(text);
      low = t.decimal(255) << 8;
      high = low + 255;
      if (low >= 0 && t.take(SLASH)) {
        const code = t.decimal(255);
        high = code < 0 ? -1 : low + code;
        low = high;
      }
      if (low < 0 || !t.ended) {
        this.wrong(i, ".icmpType", "config.field", quoted(text) + " is no ICMP type; a name like echo-request, a number, or type/code");
        return;
      }
    }
    this.ports.count = 0;
    this.ports.add(<u32>low, <u32>high);
  }

  /** Cuts the source ranges into blocks whose size is a power of two and whose start is a multiple of it. */
  private cutBlocks(): void {
    this.blocks = 0;
    const ports = this.fromPorts;
    for (let r: u32 = 0; r < ports.count; r++) {
      let low = ports.low[r];
      const end = ports.high[r] + 1;
      while (low < end) {
        let bits: u32 = low == 0 ? 16 : ctz(low);
        while ((<u32>1) << bits > end - low) bits--;
        this.blockLengths[this.blocks] = 16 - bits;
        this.blockStarts[this.blocks] = low;
        this.blocks += 1;
        low += (<u32>1) << bits;
      }
    }
  }
}
