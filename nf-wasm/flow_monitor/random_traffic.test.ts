// Random TCP connections, broken in every way, against a second implementation of what the README says.
import { expect, test } from "vitest";
import { Random, type TestChain, loadNf, tcp } from "@nfactor/sdk/test";
import { Reference, type Segment } from "./testing/reference.ts";

const STEPS = 400;
const STEP_US = [0, 0, 1, 40, 900, 2_999, 3_000, 12_000];

/** One side of the connection, as it is generated: where it has got to, and what the numbers of its connection begin with. */
class Sender {
  connection = 0;
  start: number;
  reached = 0;
  constructor(
    readonly random: Random,
    readonly synFlags: readonly string[],
  ) {
    this.start = this.#newStart();
  }
  /** Often such that the numbers soon wrap. */
  #newStart(): number {
    return this.random.pick([this.random.below(0xffff_ffff), 0xffff_ffff - this.random.below(5000)]);
  }
  restart(): void {
    this.connection++;
    this.start = this.#newStart();
    this.reached = 0;
  }
  next(mayRestart: boolean): Pick<Segment, "flags" | "connection" | "position" | "data"> {
    const r = this.random;
    const size = 1 + r.below(r.pick([2, 100, 1400]));
    const back = Math.min(this.reached, r.below(r.pick([2, 200, 5000])));
    const all = { connection: this.connection, position: this.reached, data: 0, flags: "A" };
    switch (r.below(16)) {
      case 0:
        return { ...all, position: 0, flags: r.pick(this.synFlags) };
      case 1:
        if (!mayRestart) return all;
        this.restart();
        return { ...all, connection: this.connection, position: 0, data: r.pick([0, 0, 10]), flags: r.pick(this.synFlags) };
      case 2:
        return { ...all, position: this.reached + 1 + r.below(3000), data: size, flags: "PA" };
      case 3:
      case 4:
      case 5:
        return { ...all, position: this.reached - back, data: size };
      case 6:
        return { ...all, position: Math.max(0, this.reached - 1), data: r.below(2) };
      case 7:
        return { ...all, data: r.pick([0, size]), flags: "FA" };
      case 8:
        return { ...all, flags: r.pick(["R", "RA"]) };
      case 9:
      case 10:
        return all;
      default:
        return { ...all, data: size, flags: r.pick(["A", "PA", "UA", "AEC"]) };
    }
  }
}

function compare(nf: TestChain, seed: number, v6: boolean): number {
  const r = new Random(seed);
  const ends = v6 ? [`[fd00::1]:${seed}`, "[fd00::2]:80"] : [`10.0.0.1:${seed}`, "10.0.0.2:80"];
  const paths = [`${ends[0]} > ${ends[1]}`, `${ends[1]} > ${ends[0]}`] as const;
  const senders = [new Sender(r, ["S"]), new Sender(r, ["SA", "SA", "S"])] as const;
  const reference = new Reference();
  const vlan = r.pick([[], [7], [7, 8]]);
  let [isReset, fins] = [false, 0];
  for (let i = 0; i < STEPS; i++) {
    nf.advance(r.pick(STEP_US) / 1000);
    const direction = i === 0 ? 0 : (r.below(2) as 0 | 1);
    const sender = senders[direction];
    const said = i === 0 && r.below(2) === 0 ? { flags: "S", connection: 0, position: 0, data: 0 } : sender.next(!isReset && fins !== 3);
    // The host begins a new flow with a SYN when a connection is over.
    if (said.flags === "S" && (isReset || fins === 3)) continue;
    isReset ||= said.flags.includes("R");
    if (said.flags.includes("F")) fins |= 1 << direction;
    const window = r.pick([0, 1000, 65_535]);
    const frame = tcp(paths[direction], {
      flags: said.flags,
      seq: (sender.start + said.position) % 2 ** 32,
      window,
      vlan,
      payload: new Uint8Array(said.data),
      padTo: 60,
    });
    const segment = { ...said, direction, timeNs: nf.now, window, frameBytes: frame.length };
    if (!said.flags.includes("R")) {
      sender.reached = Math.max(sender.reached, said.position + said.data + (/[SF]/.test(said.flags) ? 1 : 0));
    }
    nf.sendOne(frame, { port: direction === 0 ? "client" : "server" });
    reference.see(segment);
    const flow = nf.flow(`tcp ${paths[0]}`);
    expect(flow.state, `seed ${seed}, step ${i}: ${JSON.stringify({ ...said, direction })}`).toMatchObject(reference.state);
  }
  return reference.handshakes;
}

test("the monitor agrees with the reference on random connections", async () => {
  const nf = await loadNf(import.meta.dirname);
  let handshakes = 0;
  for (let seed = 1; seed <= 32; seed++) handshakes += compare(nf, seed, seed % 3 === 0);
  expect(nf.counters()).toMatchObject({ flows: 32n, handshakes: BigInt(handshakes) });
  expect(handshakes).toBeGreaterThan(25);
});
