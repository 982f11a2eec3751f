/** What became of the packets of a run, in one line. */
import type { RunResult } from "./run_result.ts";
import { count } from "./text.ts";

type Packets = RunResult["packets"];

export const droppedIn = ({ dropped }: Packets): number => Object.values(dropped).reduce((sum, n) => sum + n, 0);

export function booksText(packets: Packets): string {
  return [
    `${count(packets.received)} received`,
    ...(packets.emitted ? [`${count(packets.emitted)} emitted by NFs`] : []),
    `${count(packets.sent)} sent`,
    `${count(droppedIn(packets))} dropped`,
    `${count(packets.held)} held`,
    ...(packets.lost_in_failure ? [`${count(packets.lost_in_failure)} lost in processes that died`] : []),
  ].join(", ");
}
