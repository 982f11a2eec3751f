/** What tshark says of a capture: the judge that neither of our engines had a part in. */
import { execFileSync } from "node:child_process";

function fields(capture: string, filter: string, names: readonly string[]): string[][] {
  const args = ["-r", capture, "-o", "tcp.analyze_sequence_numbers:TRUE", "-Y", filter, "-T", "fields", ...names.flatMap((name) => ["-e", name])];
  const text = execFileSync("tshark", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], maxBuffer: 256 << 20, timeout: 60_000 });
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => line.split("\t"));
}

export interface Conversation {
  /** `protocol address:port > address:port`, the first sender first. */
  key: string;
  packets: [number, number];
  bytes: [number, number];
}

/** TCP and UDP conversations, ICMP errors about them not counted. */
export function conversations(capture: string, protocol: "tcp" | "udp"): Conversation[] {
  const found = new Map<string, Conversation & { from: string }>();
  const names = ["ip.src", "ipv6.src", `${protocol}.srcport`, "ip.dst", "ipv6.dst", `${protocol}.dstport`, `${protocol}.stream`, "frame.len"];
  for (const [ip4, ip6, sport, dip4, dip6, dport, stream, length] of fields(capture, `${protocol} && !icmp && !icmpv6`, names)) {
    const from = `${ip4 || ip6}:${sport}`;
    const conversation = found.get(stream!) ?? { key: `${protocol} ${from} > ${dip4 || dip6}:${dport}`, from, packets: [0, 0], bytes: [0, 0] };
    found.set(stream!, conversation);
    const direction = from === conversation.from ? 0 : 1;
    conversation.packets[direction] += 1;
    conversation.bytes[direction] += Number(length);
  }
  return [...found.values()].map(({ key, packets, bytes }) => ({ key, packets, bytes }));
}

export interface Exchange {
  method: string;
  path: string;
  host: string;
  status: number;
}

/** HTTP requests by connection (`address:port` of the client), each with the status of its answer. */
export function httpExchanges(capture: string): Map<string, Exchange[]> {
  const requests = new Map<string, Omit<Exchange, "status">[]>();
  const statuses = new Map<string, number[]>();
  const clients = new Map<string, string>();
  const names = ["tcp.stream", "ip.src", "ipv6.src", "tcp.srcport", "http.request.method", "http.request.uri", "http.host", "http.response.code"];
  for (const [stream, ip4, ip6, port, methods, uris, hosts, codes] of fields(capture, "http", names)) {
    if (methods) {
      clients.set(stream!, `${ip4 || ip6}:${port}`);
      const list = requests.get(stream!) ?? [];
      const [paths, names] = [uris!.split(","), hosts!.split(",")];
      methods.split(",").forEach((method, i) => list.push({ method, path: paths[i] ?? "", host: names[i] ?? "" }));
      requests.set(stream!, list);
    }
    if (codes) statuses.set(stream!, [...(statuses.get(stream!) ?? []), ...codes.split(",").map(Number)]);
  }
  return new Map(
    [...requests].map(([stream, list]) => [clients.get(stream)!, list.map((request, i) => ({ ...request, status: statuses.get(stream)?.[i] ?? 0 }))]),
  );
}
