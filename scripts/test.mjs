#!/usr/bin/env node
// `npm test`: bootstrap, lint, the native unit tests (also under the sanitizers), then every vitest suite. Runs all of them even when one
// fails, and ends with the line `N passed, N failed, N skipped` that counts single tests.
// `npm test -- --quick` leaves the sanitizer builds out and says so in the count of skipped suites.
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { bootstrapSteps, buildNative, checkNode } from "./bootstrap.mjs";
import { simulatorTests } from "./lib/simulator.mjs";
import { BUILD, main, run, runSteps } from "./lib/steps.mjs";

/** Seconds. A suite takes two thirds of them; a test that hangs must not take the whole run along. */
const NATIVE_LIMIT = 400;
const VITEST_LIMIT = 1380;

const REPORTS = join(BUILD, "reports");
const total = { passed: 0, failed: 0, skipped: 0 };
const problems = [];

const count = (passed, failed, skipped) => {
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
};

const freshReport = (name) => {
  mkdirSync(REPORTS, { recursive: true });
  const file = join(REPORTS, name);
  rmSync(file, { force: true });
  return file;
};

async function suite(title, body) {
  const from = Date.now();
  console.log(`\n== ${title}`);
  let line;
  try {
    line = await body();
  } catch (error) {
    count(0, 1, 0);
    problems.push(title);
    line = `FAILED: ${error.message}`;
  }
  console.log(`== ${title}: ${line} (${((Date.now() - from) / 1000).toFixed(1)} s)`);
}

async function lint() {
  const { code } = await run("node", ["scripts/lint.mjs"], { live: true });
  count(code === 0 ? 1 : 0, code === 0 ? 0 : 1, 0);
  if (code !== 0) problems.push("lint");
  return code === 0 ? "ok" : "FAILED";
}

/** The native unit tests of one build, or those of one folder. A report that is missing (a crash) is a failure. */
async function native(kind, filter, target = "nf_unit_tests") {
  const dir = await buildNative({ kind, targets: [target], show: () => {} });
  const report = freshReport(`gtest-${kind.replaceAll(",", "-")}.json`);
  const env = {
    // Wasmtime turns SIGSEGV and SIGILL of guests into traps; the sanitizers must leave them to it.
    ASAN_OPTIONS: "handle_segv=0:handle_sigill=0:handle_sigfpe=0:detect_leaks=0:allow_user_segv_handler=1",
    UBSAN_OPTIONS: "halt_on_error=1:print_stacktrace=1",
    TSAN_OPTIONS: `handle_segv=0:handle_sigill=0:handle_sigfpe=0:halt_on_error=1:suppressions=${join(process.cwd(), "dataplane-native/tsan.supp")}`,
  };
  const { code, output } = await run(join(dir, target), ["--gtest_brief=1", `--gtest_output=json:${report}`, ...(filter ? [`--gtest_filter=${filter}`] : [])], {
    env,
    limit: NATIVE_LIMIT,
  });
  if (!existsSync(report)) throw new Error(`no report, exit code ${code}:\n${output.split("\n").slice(-60).join("\n")}`);
  const { tests, failures, disabled } = JSON.parse(readFileSync(report, "utf8"));
  const crashed = code !== 0 && failures === 0 ? 1 : 0;
  const skipped = (output.match(/^\[ {2}SKIPPED \]/gm) ?? []).length;
  count(tests - failures - skipped, failures + crashed, disabled + skipped);
  if (code !== 0) {
    problems.push(`native unit tests (${kind})`);
    console.log(output.split("\n").slice(-80).join("\n"));
  }
  return `${tests - failures} passed, ${failures + crashed} failed`;
}

async function simulator(options) {
  const results = await simulatorTests({ ...options, limit: NATIVE_LIMIT });
  const failed = results.filter(({ why }) => why !== undefined);
  count(results.length - failed.length, failed.length, 0);
  for (const { name, why } of failed) console.log(`FAILED: ${name}: ${why}`);
  if (failed.length > 0) problems.push(`simulator (${options.kind})`);
  return `${results.length - failed.length} passed, ${failed.length} failed`;
}

async function vitest() {
  const report = freshReport("vitest.json");
  const { code } = await run("npx", ["vitest", "run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`], {
    live: true,
    limit: VITEST_LIMIT,
    env: { NO_COLOR: "1" },
  });
  if (!existsSync(report)) throw new Error(`vitest wrote no report, exit code ${code}`);
  const result = JSON.parse(readFileSync(report, "utf8"));
  const brokenFiles = result.testResults.filter((f) => f.status === "failed" && f.assertionResults.every((a) => a.status !== "failed")).length;
  const failed = result.numFailedTests + brokenFiles;
  count(result.numPassedTests, failed + (code !== 0 && failed === 0 ? 1 : 0), result.numPendingTests + result.numTodoTests);
  if (code !== 0) problems.push("vitest");
  for (const file of result.testResults) {
    for (const test of file.assertionResults) if (test.status === "pending" || test.status === "skipped") console.log(`skipped: ${test.fullName}`);
  }
  return `${result.numPassedTests} passed, ${failed} failed, ${result.numPendingTests + result.numTodoTests} skipped`;
}

main(async () => {
  checkNode();
  const quick = process.argv.includes("--quick");
  await runSteps(bootstrapSteps("test"));
  await suite("lint", lint);
  await suite("native unit tests", () => native("release"));
  await suite("simulator of the protocols", () => simulator({ kind: "release", seeds: 2000, protections: true }));
  if (quick) {
    console.log("\nskipped: sanitizer builds (--quick)");
    count(0, 0, 3);
  } else {
    await suite("native unit tests under AddressSanitizer and UndefinedBehaviorSanitizer", () => native("address,undefined"));
    await suite("simulator of the protocols under the same", () => simulator({ kind: "address,undefined", seeds: 200 }));
    // Where packets cross from one lcore to another it does not see the fences of DPDK's rings (dataplane-native/tsan.supp).
    await suite("native ring and lcore tests under ThreadSanitizer", () =>
      native("thread", "*Ring*:*Lcore*:*Command*:TenantTest.*-*OnTwoLcores*:*OnThreeLcores*:*OnFourLcores*", "nf_thread_tests"),
    );
  }
  await suite("vitest", vitest);
  if (problems.length > 0) console.log(`\nfailed: ${problems.join("; ")}`);
  console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  if (total.failed > 0) process.exitCode = 1;
});
