/** One flow of a running host that goes from runtime to runtime, as commands on the control socket ask for, and what that takes. */
import type { ControlClient } from "../../host/src/rpc/client.ts";

export interface Moves {
  moved: number;
  /** Times that the move before was not over everywhere yet, and the command was given again. */
  busy: number;
  seconds: number;
  /** From the order to the end of the operation in the dataplane, ms. */
  operations: number[];
  /** Of whole commands, which look for the flow before, ms. */
  commands: number[];
}

const AGAIN_MAX = 1000;

/** Moves the only flow that matches through all runtimes in turn, `times` times. Ends early when a move is refused for good. */
export async function moveAround(client: ControlClient, match: string[], times: number, onMove: () => void = () => undefined): Promise<Moves> {
  const runtimes = (await client.call("runtimes", {})).runtimes.map(({ runtime }) => runtime).filter((runtime) => runtime !== 0);
  const { flows } = await client.call("flows", { match, limit: 2 });
  if (flows.length !== 1) throw new Error(`${flows.length} flows match ${match.join(" ")}, not one`);
  let at = runtimes.indexOf(flows[0]!.runtime!);
  const moves: Moves = { moved: 0, busy: 0, seconds: 0, operations: [], commands: [] };
  const begin = performance.now();
  while (moves.moved < times && moves.busy < AGAIN_MAX) {
    const to = (at + 1) % runtimes.length;
    const from = performance.now();
    const { moved, reason, duration_ns } = await client.call("migrate", { from: runtimes[at]!, to: runtimes[to]!, flows: { match: [match] }, dry_run: false });
    if (moved === 1) {
      moves.moved += 1;
      moves.commands.push(performance.now() - from);
      moves.operations.push(duration_ns / 1e6);
      at = to;
      onMove();
    } else if (reason === "busy") {
      moves.busy += 1;
    } else {
      break;
    }
  }
  moves.seconds = (performance.now() - begin) / 1000;
  return moves;
}

/** The value below which this part of them lies. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? NaN;
}
