/**
 * `npm run bench -- control`: what the controller does, on the product as it is: `nfactor up` in namespaces, real packets, real processes. Rows as all
 * benchmarks print them; docs/performance.md says what each of them is. Needs root. It leaves nothing behind, also when it fails or is told to end.
 */
import { parseArgs } from "node:util";
import { ControlLab } from "./control_lab.ts";
import { CASES, type Effort } from "./cases/index.ts";
import { Samples } from "./samples.ts";

/** How much of everything. `runtimes`: of the large case, as deployments and runtimes of each. */
const EFFORTS: Readonly<Record<"quick" | "standard" | "full", Effort>> = {
  quick: { runs: 1, many: { deployments: 2, each: 3 }, restMs: 1500, restSlices: 1, rounds: 1, sliceMs: 500, steps: 1, calls: 5 },
  standard: { runs: 5, many: { deployments: 10, each: 10 }, restMs: 2000, restSlices: 3, rounds: 5, sliceMs: 1000, steps: 3, calls: 21 },
  full: { runs: 11, many: { deployments: 10, each: 10 }, restMs: 5000, restSlices: 5, rounds: 15, sliceMs: 2000, steps: 7, calls: 51 },
};

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { json: { type: "boolean" }, quick: { type: "boolean" }, full: { type: "boolean" }, case: { type: "string" } },
  });
  if (process.getuid?.() !== 0) throw new Error("network namespaces need root");
  const effort = EFFORTS[values.quick ? "quick" : values.full ? "full" : "standard"];
  const samples = new Samples("control");
  for (const { name, measure } of CASES) {
    if (values.case !== undefined && !name.includes(values.case)) continue;
    const from = performance.now();
    // One for each: what one case leaves behind is no part of another.
    const lab = new ControlLab();
    try {
      await measure(lab, samples, effort);
    } catch (error) {
      console.error(lab.said);
      throw error;
    } finally {
      lab.close();
    }
    console.error(`  ${name}: ${((performance.now() - from) / 1000).toFixed(1)} s`);
  }
  console.log(JSON.stringify(samples.rows()));
}

await main();
process.exit(0);
