/**
 * An NF, written as authors write them, that sends its flows around all the time. What comes out of a capture is the same to the byte as in direct mode,
 * where nothing moves, and the NF hears of the flows that come and go.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunResult } from "../../host/src/result/run_result.ts";
import { nfactorJson } from "../../scripts/lib/live_host.ts";
import { removeScratchNfs, scratchNf } from "../../sdk/testkit/scratch_nf.ts";
import { classicPcap } from "../conformance/pcap_file.ts";
import { generateTraffic } from "../conformance/traffic.ts";

const SEED = Number(process.env["NF_MOVES_SEED"] ?? Date.now() % 1_000_000);
console.log(`seed ${SEED}; NF_MOVES_SEED=${SEED} repeats it`);

/** Every fourth packet of a flow asks, and each move goes to the next runtime. */
const WANDERER = `import { ArrivalReason, CloseReason, Flow, NetworkFunction, NoConfig, Packet, Verdict, ownRuntime, runtimeAt } from "@nfactor/sdk";

@flowState
class Journey {
  packets: u64;
  moves: u32;
}

/** That this instance has: a fault if they were fewer than none. */
@instanceState let flows: i32 = 0;

export class Wanderer extends NetworkFunction<Journey, NoConfig> {
  process(p: Packet, s: Journey): Verdict {
    if (++s.packets % 4 == 0) p.askMigrate();
    return Verdict.FORWARD;
  }
  migrationTarget(cluster: u32, n: u32, f: Flow, s: Journey): u32 {
    const own = ownRuntime(cluster, n).number;
    for (let i: u32 = 0; i < n; i++) if (runtimeAt(cluster, i).number > own) return runtimeAt(cluster, i).number;
    return runtimeAt(cluster, 0).number;
  }
  arrived(f: Flow, s: Journey, reason: u32): u32 {
    assert(reason == ArrivalReason.MOVED);
    s.moves++;
    flows++;
    return 0;
  }
  left(f: Flow, s: Journey): void {
    assert(--flows >= 0);
  }
  open(p: Packet, s: Journey): void {
    flows++;
  }
  close(f: Flow, s: Journey, reason: CloseReason): void {
    assert(--flows >= 0);
  }
}
`;

const folder = mkdtempSync(join(tmpdir(), "nfactor-nf-moves-"));
const capture = join(folder, "in.pcap");
let wanderer: string;
beforeAll(() => {
  writeFileSync(capture, classicPcap(generateTraffic(SEED, 20_000)));
  wanderer = scratchNf(WANDERER, { name: "wanderer" });
});
afterAll(() => {
  removeScratchNfs();
  rmSync(folder, { recursive: true, force: true });
});

async function run(...more: string[]): Promise<{ result: RunResult; out: Buffer }> {
  const out = join(folder, "out.pcap");
  const args = ["--chain", `flow_monitor,${wanderer}`, "--client", "10.0.0.0/8", "--client", "fd77::/120", "--in", capture, "--out", out, "--quiet"];
  return { result: await nfactorJson<RunResult>(["run", ...args, ...more]), out: readFileSync(out) };
}

test("flows wander between three runtimes, and nobody outside can tell", async () => {
  const direct = await run();
  const { result, out } = await run("--runtimes", "3", "--lcores", "2");
  expect(result.faults).toEqual([]);
  expect(out.equals(direct.out), `the output differs, seed ${SEED}`).toBe(true);
  expect(result.packets).toEqual(direct.result.packets);

  const total = (name: "moved_in" | "moved_out" | "nf_moves" | "nf_moves_failed"): number => result.runtimes!.reduce((sum, one) => sum + one[name], 0);
  const moved = total("moved_in");
  expect(moved).toBeGreaterThan(0);
  expect(total("moved_out")).toBe(moved);
  expect(total("nf_moves")).toBeGreaterThanOrEqual(moved);

  // All that NFs keep is the same but for what arrived wrote, and that is all there.
  const states = ({ flows }: RunResult): string[] =>
    flows
      .map(({ nfs, ...flow }) => {
        const { wanderer: own, ...others } = nfs;
        return JSON.stringify({ ...flow, nfs: { ...others, packets: own?.["packets"] } });
      })
      .sort();
  const [flows, wanted] = [states(result), states(direct.result)];
  expect(flows.filter((flow, i) => flow !== wanted[i]).slice(0, 3), `seed ${SEED}`).toEqual([]);
  expect(flows.length).toBe(wanted.length);
  const moves = result.flows.reduce((sum, { nfs }) => sum + Number(nfs["wanderer"]?.["moves"] ?? 0), 0);
  // What ended on its way came as a place without a flow.
  expect(moves).toBeGreaterThan(0);
  expect(moves).toBeLessThanOrEqual(moved);
});
