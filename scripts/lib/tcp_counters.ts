/** What the kernel of one end of a lab's wire has seen of TCP: what it sent again, and what reached it out of order. */
import type { NetworkLab, Place } from "./network_lab.ts";

const NAMES = { retransmitted: "TcpRetransSegs", needless: "TcpExtTCPDSACKRecv", outOfOrder: "TcpExtTCPOFOQueue", wrongChecksums: "TcpInCsumErrors" } as const;

/** Segments. `needless`: sent again although the first had arrived, as the other end says; a flow that waits while it moves looks lost for a moment. */
export type TcpCounters = Record<keyof typeof NAMES, number>;

/** Since the namespace was made. */
export async function tcpCounters(lab: NetworkLab, place: Place): Promise<TcpCounters> {
  const { code, stdout, stderr } = await lab.run(place, "nstat", ["-asz", ...Object.values(NAMES)]);
  if (code !== 0) throw new Error(`nstat in the ${place}'s namespace: ${stderr}`);
  const read = (name: string): number => Number(new RegExp(`^${name}\\s+(\\d+)`, "m").exec(stdout)?.[1]);
  return {
    retransmitted: read(NAMES.retransmitted),
    needless: read(NAMES.needless),
    outOfOrder: read(NAMES.outOfOrder),
    wrongChecksums: read(NAMES.wrongChecksums),
  };
}
