/** `nfactor test`: an NF's own tests, with the vitest that belongs to this NFActor, in the folder where the NF lies. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Command } from "commander";
import { NfError } from "@nfactor/sdk/errors";
import { resolveNf, shownPath } from "../../nf/resolve.ts";
import { EXIT } from "../exit_codes.ts";
import { examples } from "../help.ts";
import { Output } from "../output.ts";
import type { TestResultJson } from "../results.ts";

const CONFIG = join(import.meta.dirname, "../../nf_test/vitest.config.mjs");

export function testCommand(): Command {
  return new Command("test")
    .description("Run an NF's tests (*.test.ts in its folder).")
    .argument("[folder]", "the NF's folder, or its name", ".")
    .option("-t, --name <pattern>", "only the tests whose name matches")
    .addHelpText(
      "after",
      examples(
        ["nfactor test", "the NF in this folder"],
        ["nfactor test nf-wasm/rate_limiter", ""],
        ["nfactor test firewall -t 'established'", "some tests of a shipped NF"],
      ),
    )
    .action((folder: string, options: { name?: string; json?: boolean }) => {
      const place = resolveNf(folder);
      if (place.kind === "artifact") throw new NfError("usage", `'${folder}' is an artifact: its tests are with its sources`, { fix: "Name the NF's folder." });
      process.exitCode = options.json ? runForJson(place.path, options.name) : runShown(place.path, options.name);
    });
}

function vitestArgs(folder: string, name: string | undefined): string[] {
  const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");
  return [vitest, "run", "--root", folder, "--config", CONFIG, ...(name === undefined ? [] : ["--testNamePattern", name])];
}

function runShown(folder: string, name: string | undefined): number {
  const { status, error } = spawnSync(process.execPath, vitestArgs(folder, name), { stdio: "inherit" });
  if (error) throw new NfError("internal", `the tests could not be started: ${error.message}`, { cause: error });
  return status === 0 ? EXIT.ok : EXIT.failure;
}

interface VitestJson {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: { name: string; message: string; assertionResults: { fullName: string; status: string; failureMessages: string[] | null }[] }[];
}

function runForJson(folder: string, name: string | undefined): number {
  const temporary = mkdtempSync(join(tmpdir(), "nfactor-test-"));
  try {
    const file = join(temporary, "report.json");
    const { status, stderr } = spawnSync(process.execPath, [...vitestArgs(folder, name), "--reporter=json", `--outputFile=${file}`], {
      stdio: ["ignore", "ignore", "pipe"],
      encoding: "utf8",
    });
    if (!existsSync(file)) throw new NfError("internal", `the tests left no report: ${stderr.trim().slice(-2000)}`);
    new Output(true).result(resultOf(JSON.parse(readFileSync(file, "utf8")) as VitestJson, folder), "");
    return status === 0 ? EXIT.ok : EXIT.failure;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

function resultOf(report: VitestJson, folder: string): TestResultJson {
  const tests = report.testResults.flatMap(({ name, message, assertionResults }) =>
    assertionResults.length === 0 && message !== ""
      ? [{ file: name, name: "", status: "failed" as const, messages: [message] }]
      : assertionResults.map((test) => ({ file: name, name: test.fullName, status: statusOf(test.status), messages: test.failureMessages ?? [] })),
  );
  const of = (status: string) => tests.filter((test) => test.status === status).length;
  return { folder: shownPath(folder), passed: of("passed"), failed: of("failed"), skipped: of("skipped"), tests };
}

function statusOf(status: string): "passed" | "failed" | "skipped" {
  return status === "passed" || status === "failed" ? status : "skipped";
}
