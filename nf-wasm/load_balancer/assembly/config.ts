// The configuration.

/** Where a service's flows go. */
@config
export class Backend {
  /** Of the same family as the service. */
  @format("address") address: string;
  /** 0 = the service's. */
  port: u16 = 0;
  /** Its share of new flows, next to the others' weights. 0: none; those that it has stay. */
  @range(0, 100) weight: u32 = 1;
  /** false: no new flows; those that it has stay. */
  healthy: bool = true;
}

/** Flows that clients begin to one of the addresses, with this protocol and port. */
@config
export class Service {
  /** All IPv4 or all IPv6. */
  @format("address") @limit(64) addresses: string[];
  @oneOf("tcp", "udp") protocol: string;
  @range(1, 65535) port: u16;
  @limit(1024) backends: Backend[];
}

@config
export class Config {
  @limit(1024) services: Service[];
  /** Flows to no service, and those that the server side begins. */
  @oneOf("forward", "drop") unmatched: string = "forward";
  /** Slots of each service's lookup table: a prime, at least ten times the backends of a service; a hundred times spreads evenly. */
  @range(11, 65537) tableSize: u32 = 65537;
  /** Mixed into the hash of flows. Secret, it keeps clients from choosing their backend; the same wherever flows may go. */
  hashSeed: u64 = 0;
}
