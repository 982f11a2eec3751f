// The configuration. Every value is a text as a person writes it; rule_reader.ts says what each may be.

/** One rule: it matches a flow if all of its fields do. */
@config
export class Rule {
  /** What becomes of the flow. */
  @oneOf("allow", "drop") action: string;
  /** A name (tcp, udp, icmp, icmpv6, sctp, udplite, gre, esp, ah, igmp, ospf, any) or a number. Ports alone mean every protocol that has them. */
  @format("name_or_number") protocol: string = "any";
  /** The side that the flow's first packet came in on. */
  @oneOf("client", "server", "any") side: string = "any";
  /** Address or prefix of the side that begins. */
  @format("prefix") from: string = "";
  /** Address or prefix of the other side. */
  @format("prefix") to: string = "";
  /** Ports or ranges of the side that begins. */
  @format("ports") fromPorts: string = "";
  /** Ports or ranges of the other side: the service. */
  @format("ports") ports: string = "";
  /** ICMP type of the first packet: a name (echo-request, ...), a number, or type/code. */
  @format("name_or_number") icmpType: string = "";
}

@config
export class Config {
  /** What becomes of flows that no rule matches. */
  @oneOf("allow", "drop") default: string = "allow";
  /** In order: the first that matches decides. */
  rules: Rule[] = [];
  /** TCP connections whose handshake was not seen: allow them, if the rules do, or drop. */
  @oneOf("allow", "drop") midstream: string = "allow";
  /** TCP segments outside the window: enforce drops them, ignore lets them pass. */
  @oneOf("enforce", "ignore") windows: string = "enforce";
}
