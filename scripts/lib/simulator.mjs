// The tests of the simulator of the protocols (docs/simulator.md): seeds without a violation, and for each protection the seed at which
// its loss shows.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildNative } from "../bootstrap.mjs";
import { ROOT, run } from "./steps.mjs";

/** Far from the first ones: each has found a mistake that these do not. The last mistakes in docs/simulator.md. */
const ONCE_FOUND = [41001837, 73068470, 73053382, 41012853, 52041332, 112057904, 101098105, 102023082, 102055558, 102045354, 112059092, 122004520, 771068165];

async function simulate(program, args, limit) {
  const { code, output } = await run(program, [...args, "--json"], { limit, env: { UBSAN_OPTIONS: "halt_on_error=1" } });
  const line = output.trimEnd().split("\n").pop();
  if (!line.startsWith("{")) throw new Error(`nf_sim ${args.join(" ")}: exit code ${code}:\n${output.slice(-4000)}`);
  return JSON.parse(line);
}

/** Rows of the table in docs/simulator.md: name of the protection and the seed that misses it. */
const documented = () =>
  [...readFileSync(join(ROOT, "docs/simulator.md"), "utf8").matchAll(/^\| `(\w+)` \|.*\| (\d+) \|$/gm)].map(([, name, seed]) => ({ name, seed }));

/** One result for all seeds and, with `protections`, one for each of them: `{ name, why }`, `why` only if it failed. */
export async function simulatorTests({ kind, seeds, protections = false, limit }) {
  const program = join(await buildNative({ kind, targets: ["nf_sim"] }), "nf_sim");
  const all = await simulate(program, ["--seeds", `${seeds}`], limit);
  const whole = all.violations === 0 && all.seeds === seeds;
  const results = [{ name: `${seeds} seeds`, why: whole ? undefined : `seed ${all.firstFailingSeed}: ${all.violation}` }];
  for (const seed of ONCE_FOUND) {
    const { violations, violation } = await simulate(program, ["--seeds", "1", "--first", `${seed}`], limit);
    results.push({ name: `seed ${seed}`, why: violations === 0 ? undefined : violation });
  }
  if (!protections) return results;

  const rows = documented();
  const { output } = await run(program, ["--protections"], { limit });
  const missing = output
    .trim()
    .split("\n")
    .filter((name) => !rows.some((row) => row.name === name));
  results.push({ name: "every protection is in docs/simulator.md", why: missing.length > 0 ? `missing: ${missing.join(", ")}` : undefined });
  for (const { name, seed } of rows) {
    const { violations } = await simulate(program, ["--seeds", "1", "--first", seed, "--without", name], limit);
    const why = violations === 1 ? undefined : `seed ${seed} finds nothing; 'npm run sim -- --table' says which does`;
    results.push({ name: `without ${name}`, why });
  }
  return results;
}
