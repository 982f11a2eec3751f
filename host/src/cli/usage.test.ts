import { afterAll, beforeAll, expect, test } from "vitest";
import { Cli } from "./testing.ts";

let cli: Cli;
beforeAll(() => {
  cli = new Cli();
});
afterAll(() => cli.remove());

test("without a command: the help on stderr, exit code 2", async () => {
  const { code, stdout, stderr } = await cli.run();
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain("Usage: nfactor");
});

test("--help goes to stdout and is no error", async () => {
  const { code, stdout, stderr } = await cli.run("run", "--help");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain("--client-iface <name>");
  expect(stdout).toContain("Examples:");
});

test("--version", async () => {
  expect((await cli.run("--version")).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test.each([
  [["rnu"], "unknown command 'rnu' (Did you mean run?)"],
  [["run", "--chian", "x"], "unknown option '--chian' (Did you mean --chain?)"],
  [["swap", "fw"], "missing required argument 'nf'"],
  [["run"], "there is no chain"],
])("%j is refused with a fix", async (args, message) => {
  const { code, stdout, stderr } = await cli.run(...args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain(`error[usage]: ${message}`);
  expect(stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(2);
});

test("with --json an error is one object on stdout too", async () => {
  const { code, stdout } = await cli.run("flows", "--json");
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: "host.not_running", message: "no running host was found" } });
});
