/** What the kernels at the ends of a lab's wire have counted: other witnesses of what a host has taken and sent. */
import type { NetworkLab } from "./network_lab.ts";

/** Frames that the ends of the wire have sent and got, and those that the kernel lost between the host and them. */
export interface Frames {
  sent: number;
  got: number;
  lostToHost: number;
  lostToEnds: number;
}

export const NO_FRAMES: Frames = { sent: 0, got: 0, lostToHost: 0, lostToEnds: 0 };

export async function framesAt(lab: NetworkLab): Promise<Frames> {
  const frames = { ...NO_FRAMES };
  for (const place of ["client", "server", "wire"] as const) {
    const { stdout } = await lab.run(place, "cat", ["/proc/net/dev"]);
    for (const [, got, sent, lost] of stdout.matchAll(/(?:veth0|left|right):\s*\d+\s+(\d+)(?:\s+\d+){7}\s+(\d+)\s+\d+\s+(\d+)/g)) {
      if (place === "wire") {
        frames.lostToEnds += Number(lost);
        continue;
      }
      frames.sent += Number(sent);
      frames.got += Number(got);
      frames.lostToHost += Number(lost);
    }
  }
  return frames;
}

/** Datagrams that found no room in a kernel: in the socket of an end, or on the way between an end and the host. */
export async function overflowedIn(lab: NetworkLab): Promise<number> {
  const { lostToHost, lostToEnds } = await framesAt(lab);
  let sum = lostToHost + lostToEnds;
  for (const place of ["client", "server"] as const) {
    const { stdout } = await lab.run(place, "nstat", ["-asz", "UdpRcvbufErrors"]);
    sum += Number(/^UdpRcvbufErrors\s+(\d+)/m.exec(stdout)?.[1]);
  }
  return sum;
}
