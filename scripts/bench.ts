/**
 * `npm run bench -- <name>… [--json] [--quick] [--full] [--case <text>] [--write]`: builds and runs benchmarks, prints their measurements as a table or as
 * one list of {name, case, metric, unit, median, min, max, baseline, ratio, runs}. Progress is on stderr. `--write` puts them into
 * docs/performance.md. Exit code 1 when a benchmark fails or nothing was measured.
 */
import { execFileSync, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, release } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Machine, replaceSection, section } from "./lib/bench_page.ts";
import { type BenchRow, parseRows, rowsTable } from "./lib/bench_rows.ts";
import { ROOT } from "./lib/live_host.ts";

const BENCHES: Readonly<Record<string, string>> = {
  chain: "What does a packet cost in a chain of sandboxed NFs, next to the same NFs as native C++ and to the loop without any?",
  actor: "What do flow actors cost a packet, and what does starting a flow cost?",
  copy: "What do the views cost that an NF gets of a packet?",
  engine: "What do a call, an instance, compilation, a trap and the watchdog cost?",
  swap: "How long do packets wait when an NF is replaced by another version, and does one get lost?",
  flow_table: "Which table finds the flow of a packet: ours or DPDK's rte_hash?",
  vswitch: "What does a packet cost that goes through a vswitch and its gate, next to a runtime that has the ports itself?",
  processes: "What does it cost a packet that vswitch and runtime are processes of their own?",
  replicate: "What does it cost that another runtime has a flow's state before what the flow causes leaves?",
  recover: "How long do flows wait when the process of their runtime is killed, next to two Linux routers with keepalived and conntrackd?",
  scale: "How many packets a second do several runtimes behind a vswitch carry together, on one lcore and on two?",
  migrate: "How fast do flows move between runtimes, and what do their packets notice, next to a controller in the middle?",
  messages: "What do reliable messages cost, and how much of a lossy link do they use?",
  memory: "How many flows does a GiB hold?",
  control: "What does the controller cost, how long do its orders take, and do packets notice what becomes of it?",
  scaling: "Under load that changes and parts that fail: what is overloaded, lost, moved and paid for, next to how systems of today scale? (simulated)",
};
/** Benchmarks that are no native program: TypeScript that prints rows the same way. */
const SCRIPTS: Readonly<Record<string, string>> = {
  control: "scripts/control/bench.ts",
  scaling: "controller/src/scaling/simulation/bench.ts",
};
const USAGE = `npm run bench -- <name> [<name>…] [--json] [--quick] [--full] [--case <text>] [--write]

${Object.entries(BENCHES)
  .map(([name, question]) => `  ${name.padEnd(10)} ${question}`)
  .join("\n")}
  all        All of them.

  --json         print one list of measurements instead of a table
  --quick        less of everything, to see that it works
  --full         more cases, of benchmarks that have some that take long (migrate, recover, control)
  --case <text>  only cases whose name contains the text
  --write        put the measurements into docs/performance.md`;

class BenchError extends Error {}

function readArguments(): { names: string[]; json: boolean; quick: boolean; full: boolean; write: boolean; text: string | undefined } {
  let parsed;
  try {
    parsed = parseArgs({
      allowPositionals: true,
      options: {
        json: { type: "boolean" },
        quick: { type: "boolean" },
        full: { type: "boolean" },
        write: { type: "boolean" },
        case: { type: "string" },
        help: { type: "boolean" },
      },
    });
  } catch (error) {
    throw new BenchError(`${(error as Error).message}\n\n${USAGE}`);
  }
  const { values, positionals } = parsed;
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  const allowed = [...Object.keys(BENCHES), "all"];
  const bad = positionals.find((name) => !allowed.includes(name));
  if (bad !== undefined) throw new BenchError(`there is no benchmark '${bad}': allowed are ${allowed.join(", ")}.`);
  if (positionals.length === 0) throw new BenchError(`which benchmark?\n\n${USAGE}`);
  if (values.write && (values.quick || values.case !== undefined)) {
    throw new BenchError("--write keeps whole measurements only: leave --quick and --case out.");
  }
  const names = positionals.includes("all") ? Object.keys(BENCHES) : [...new Set(positionals)];
  return { names, json: values.json ?? false, quick: values.quick ?? false, full: values.full ?? false, write: values.write ?? false, text: values.case };
}

/** Runs a program with its stderr (and stdout, unless wanted) on ours; resolves with its stdout. */
function runProgram(command: string, args: readonly string[], wanted: boolean): Promise<string> {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ["ignore", wanted ? "pipe" : 2, 2] });
    let output = "";
    child.stdout?.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.on("error", fail);
    child.on("close", (code, signal) => {
      if (code === 0) done(output);
      else fail(new BenchError(`${command} ${args.join(" ")} ended with ${signal ?? `exit code ${code}`}`));
    });
  });
}

/** Builds it when it has to be built; what to run then. */
async function program(name: string): Promise<[command: string, args: readonly string[]]> {
  const script = SCRIPTS[name];
  if (script !== undefined) return [process.execPath, ["--import", "./sdk/register.mjs", script]];
  const native = join(ROOT, "build/native");
  await runProgram("ninja", ["-C", native, "--quiet", `bench_${name}`], false);
  return [join(native, `bench_${name}`), []];
}

async function measure(name: string, options: readonly string[]): Promise<BenchRow[]> {
  const [command, args] = await program(name);
  const from = Date.now();
  console.error(`bench ${name} …`);
  const rows = parseRows(name, await runProgram(command, [...args, "--json", ...options], true));
  console.error(`bench ${name}: ${rows.length} measurements, ${((Date.now() - from) / 1000).toFixed(1)} s`);
  return rows;
}

function thisMachine(): Machine {
  const git = (...args: string[]): string => execFileSync("git", args, { cwd: ROOT, encoding: "utf8" }).trim();
  const changed = git("status", "--porcelain", "--", "dataplane-native", "sdk/abi", "controller", "host") !== "";
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown processor",
    cores: availableParallelism(),
    kernel: release(),
    date: new Date().toISOString().slice(0, 10),
    commit: git("rev-parse", "--short", "HEAD") + (changed ? " with changes" : ""),
  };
}

function writePage(rows: readonly BenchRow[]): void {
  const file = join(ROOT, "docs/performance.md");
  const machine = thisMachine();
  let page = readFileSync(file, "utf8");
  for (const name of new Set(rows.map((row) => row.name))) {
    const own = rows.filter((row) => row.name === name);
    page = replaceSection(page, name, section(name, BENCHES[name]!, own, machine));
  }
  writeFileSync(file, page);
  console.error("docs/performance.md: written");
}

async function main(): Promise<void> {
  const { names, json, quick, full, write, text } = readArguments();
  const options = [...(quick ? ["--quick"] : []), ...(full ? ["--full"] : []), ...(text === undefined ? [] : ["--case", text])];
  const rows: BenchRow[] = [];
  for (const name of names) {
    try {
      rows.push(...(await measure(name, options)));
    } catch (error) {
      console.error(`error: bench ${name} failed: ${(error as Error).message}`);
      process.exitCode = 1;
    }
  }
  if (rows.length === 0 && !process.exitCode) {
    console.error(`error: no case of ${names.join(", ")} contains '${text}'.`);
    process.exitCode = 1;
  }
  if (json) console.log(JSON.stringify(rows, null, 2));
  else if (rows.length > 0) console.log(rowsTable(rows));
  if (write && rows.length > 0) writePage(rows);
}

main().catch((error: unknown) => {
  console.error(error instanceof BenchError ? `error: ${error.message}` : error);
  process.exitCode = 1;
});
