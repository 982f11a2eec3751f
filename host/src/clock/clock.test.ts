import { execFileSync } from "node:child_process";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { machineUs } from "./clock.ts";

test("the machine's clock goes on in the next process: a supervisor's reports are no older than those of the one before it", () => {
  const before = machineUs();
  const register = resolve(import.meta.dirname, "../../../sdk/register.mjs");
  const script = 'import { machineUs } from "./clock.ts"; process.stdout.write(String(machineUs()))';
  const next = execFileSync(process.execPath, ["--import", register, "--input-type=module", "-e", script], { cwd: import.meta.dirname, encoding: "utf8" });
  expect(Number(next)).toBeGreaterThan(before);
  expect(Number(next)).toBeLessThan(machineUs());
});
