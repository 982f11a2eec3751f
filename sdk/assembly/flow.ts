// A view of the flow record: the flow as its first packet named it. The same object in every callback about a flow.
import { FlowRecord } from "./abi";

@unmanaged
@final
export class Flow {
  // prettier-ignore
  @inline private get record(): FlowRecord { return changetype<FlowRecord>(this); }

  /** 4 or 6. */
  @inline get ipVersion(): u32 {
    return <u32>this.record.ip_version;
  }
  @inline get protocol(): u32 {
    return <u32>this.record.protocol;
  }
  /** The port that the first packet came in on: Side.client or Side.server. */
  @inline get side(): u32 {
    return <u32>this.record.side;
  }
  /** Of an ICMP query: the identifier; of other ICMP: type × 256 + code; of protocols without ports: 0. */
  @inline get initiatorPort(): u32 {
    return <u32>this.record.initiator_port;
  }
  @inline get responderPort(): u32 {
    return <u32>this.record.responder_port;
  }
  /** Host order; for IPv4 flows. */
  @inline get initiatorIpv4(): u32 {
    return bswap<u32>(<u32>(this.record.initiator_address_8 >> 32));
  }
  @inline get responderIpv4(): u32 {
    return bswap<u32>(<u32>(this.record.responder_address_8 >> 32));
  }
  /** Upper 64 bits in host order; IPv4 addresses are mapped (::ffff:a.b.c.d). */
  @inline get initiatorHigh(): u64 {
    return bswap<u64>(this.record.initiator_address_0);
  }
  @inline get initiatorLow(): u64 {
    return bswap<u64>(this.record.initiator_address_8);
  }
  @inline get responderHigh(): u64 {
    return bswap<u64>(this.record.responder_address_0);
  }
  @inline get responderLow(): u64 {
    return bswap<u64>(this.record.responder_address_8);
  }
  @inline get vlanCount(): u32 {
    return <u32>this.record.vlan_count;
  }
  @inline get vlanOuter(): u32 {
    return <u32>this.record.vlan_outer;
  }
  @inline get vlanInner(): u32 {
    return <u32>this.record.vlan_inner;
  }
  /** Time of the poll that opened the flow, ns. */
  @inline get startNs(): u64 {
    return this.record.start_ns;
  }
  /** Seed of the flow's random numbers. */
  @inline get seed(): u64 {
    return this.record.seed;
  }
}
