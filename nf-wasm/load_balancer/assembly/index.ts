// An L4 load balancer: a flow that a client begins to a service's address gets a backend, and keeps it in its state to its end.
// services.ts finds service and backend, maglev.ts makes the tables for it, translate.ts writes the backend into packets.
import { CONFIG_REFUSED, NetworkFunction, Packet, Side, Verdict, configError, counter } from "@nfactor/sdk";
import { Config } from "./config";
import { memberFor, serviceOf, setServices } from "./services";
import { Binding, Mode, Reason } from "./state";
import { bind, translate, translateError } from "./translate";

const COUNTER_OPENED: u32 = 0;
const COUNTER_NO_BACKEND: u32 = 1;
const COUNTER_UNMATCHED: u32 = 2;
const COUNTER_ICMP_ERRORS: u32 = 3;
/** New flows of backend 1, and of those behind it: the first 32 have a counter of their own. */
const COUNTER_BACKENDS: u32 = 4;
const BACKENDS_COUNTED: u32 = 32;

let dropUnmatched: bool = false;

export class LoadBalancer extends NetworkFunction<Binding, Config> {
  configure(c: Config): u32 {
    dropUnmatched = c.unmatched == "drop";
    let errors = setServices(c);
    if (!dropUnmatched && c.unmatched != "forward") {
      configError("unmatched", "config.field", "only forward or drop is allowed");
      errors++;
    }
    return errors == 0 ? 0 : CONFIG_REFUSED;
  }

  open(p: Packet, s: Binding): void {
    const f = p.flow;
    const service = f.side == Side.client ? serviceOf(f) : null;
    if (service === null) {
      counter(COUNTER_UNMATCHED).add(1);
      if (dropUnmatched) s.mode = <u8>Reason.NO_SERVICE;
      return;
    }
    s.service = <u16>service.number;
    const member = memberFor(service, f);
    if (member === null) {
      counter(COUNTER_NO_BACKEND).add(1);
      s.mode = <u8>Reason.NO_BACKEND;
      return;
    }
    bind(s, f, member);
    s.mode = <u8>Mode.BOUND;
    counter(COUNTER_OPENED).add(1);
    if (member.number <= BACKENDS_COUNTED) counter(COUNTER_BACKENDS + member.number - 1).add(1);
  }

  process(p: Packet, s: Binding): Verdict {
    const mode = <u32>s.mode;
    if (mode == Mode.PASS) return Verdict.FORWARD;
    if (mode != Mode.BOUND) return p.refuse(mode);
    const d = p.direction & 1;
    if (p.isIcmpError) return error(p, s, d);
    return translate(p, s, d) ? Verdict.FORWARD : p.drop(Reason.UNSOLICITED);
  }
}

function error(p: Packet, s: Binding, d: u32): Verdict {
  if (!translateError(p, s, d)) return p.drop(Reason.UNSOLICITED);
  counter(COUNTER_ICMP_ERRORS).add(1);
  return Verdict.FORWARD;
}
