/** Which backends a configuration gives to which flows. */
import { loadNf, type Random, tupleText, udp } from "@nfactor/sdk/test";

const FOLDER = new URL("../", import.meta.url).pathname;

export interface BackendConfig {
  address: string;
  port?: number;
  weight?: number;
  healthy?: boolean;
}

export const VIP = "198.51.100.1";
export const service = (backends: BackendConfig[]) => ({ addresses: [VIP], protocol: "udp", port: 53, backends });

export const backendsOf = (count: number): BackendConfig[] => Array.from({ length: count }, (_, i) => ({ address: `10.9.${i >> 8}.${i & 255}`, port: 53 }));

/** Different flows of clients to the service. */
export function clients(r: Random, count: number): string[] {
  const flows = new Set<string>();
  while (flows.size < count) flows.add(`10.${r.below(4)}.${r.below(256)}.${1 + r.below(254)}:${1024 + r.below(64_512)} > ${VIP}:53`);
  return [...flows];
}

/** The backend's address and port of each flow, in their order. */
export async function choices(config: object, flows: readonly string[]): Promise<string[]> {
  const nf = await loadNf(FOLDER, config, { flows: { max: flows.length } });
  nf.send(flows.map((path) => udp(path)));
  const sent = new Map(nf.simulation.output.map(({ index, bytes }) => [index, tupleText(bytes).split(" > ")[1]!]));
  return flows.map((_, i) => sent.get(i) ?? "dropped");
}

export function countBy(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
