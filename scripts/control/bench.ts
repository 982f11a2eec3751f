/**
 * `npm run bench -- control`: what the controller does, on the product as it is: `nfactor up` in namespaces, real packets, real processes. Rows as all
 * benchmarks print them; docs/performance.md says what each of them is. Needs root. It leaves nothing behind, also when it fails or is told to end.
 */
import { parseArgs } from "node:util";
import { ControlLab } from "./control_lab.ts";
import { CASES, type Effort } from "./cases/index.ts";
import { Samples } from "./samples.ts";

/** On two CPUs the processes of a hundred runtimes leave no time to others, though they do nothing: nobody is started beside them. */
const FIFTY = { deployments: 5, each: 10, isRestarted: true };
const HUNDRED = { deployments: 10, each: 10, isRestarted: false };
const STANDARD: Effort = {
  runs: 5,
  many: [FIFTY],
  settleMs: 3000,
  restMs: 2000,
  restSlices: 3,
  rounds: 4,
  sliceMs: 1000,
  steps: 2,
  calls: 21,
  few: 3,
};
/** How much of everything. */
const EFFORTS: Readonly<Record<"quick" | "standard" | "full", Effort>> = {
  quick: { ...STANDARD, runs: 1, many: [], settleMs: 1000, restMs: 1500, restSlices: 1, rounds: 1, sliceMs: 500, steps: 0, calls: 3, few: 1 },
  standard: STANDARD,
  full: { ...STANDARD, many: [FIFTY, HUNDRED] },
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
      // What was measured until then is measured; the others may be, too.
      console.error(`${lab.said}\nerror: '${name}' was not measured to its end: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      lab.close();
    }
    console.error(`  ${name}: ${((performance.now() - from) / 1000).toFixed(1)} s`);
  }
  const rows = samples.rows();
  if (rows.length === 0 && values.case === undefined) throw new Error("nothing could be measured");
  console.log(JSON.stringify(rows));
}

await main();
process.exit(0);
