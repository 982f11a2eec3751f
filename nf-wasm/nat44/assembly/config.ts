// The configuration.

@config
export class Config {
  /** The pool: what clients look like from outside. A lease pool of 64512 × as many values uses all their ports. */
  @format("ipv4") @limit(1024) addresses: string[];
  /** Flows that the server side begins, to addresses that are not in the pool. */
  @oneOf("drop", "pass") inbound: string = "drop";
  /** Flows of protocols without ports or queries, and those to broadcast or multicast addresses. */
  @oneOf("drop", "pass") untranslatable: string = "drop";
  /** Idle time of TCP connections; 0 = the host's. RFC 5382: at least 2 hours 4 minutes. */
  tcpTimeoutMs: u32 = 7440000;
  /** Idle time of TCP connections that nobody answered yet; 0 = the host's, as when tcpTimeoutMs is 0. RFC 5382: at least 4 minutes. */
  tcpOpeningTimeoutMs: u32 = 240000;
  /** Idle time of UDP flows; 0 = the host's. RFC 4787 recommends 5 minutes. */
  udpTimeoutMs: u32 = 300000;
  /** Idle time of ICMP queries; 0 = the host's. RFC 5508: at least 60 seconds. */
  icmpTimeoutMs: u32 = 60000;
}
