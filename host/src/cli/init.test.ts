import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Cli } from "./testing.ts";

let cli: Cli;
beforeAll(() => {
  cli = new Cli();
});
afterAll(() => cli.remove());

test("init makes an NF in under 40 lines, with manifest, test, README and the editor's settings", async () => {
  const { code, stdout, stderr } = await cli.run("init", "my_limiter", "--json");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const result = JSON.parse(stdout) as { folder: string; files: string[] };
  expect(result.folder).toBe("my_limiter");
  for (const file of result.files) expect(existsSync(join(cli.path("my_limiter"), file))).toBe(true);
  expect(readFileSync(cli.path("my_limiter/assembly/index.ts"), "utf8").trimEnd().split("\n").length).toBeLessThan(40);
  expect(statSync(cli.path("my_limiter")).mode & 0o700).toBe(0o700);
});

test("it builds outside of NFActor's tree, and is admitted", async () => {
  const built = await cli.run("build", "my_limiter", "--json");
  expect(built).toMatchObject({ code: 0, stderr: "" });
  const { nfs } = JSON.parse(built.stdout) as { nfs: { path: string; state_bytes: number; warnings: string[] }[] };
  expect(nfs).toMatchObject([{ name: "my_limiter", version: "0.1.0", state_bytes: 16, warnings: [] }]);
  const checked = await cli.run("check", nfs[0]!.path, "--json");
  expect(checked.code).toBe(0);
  expect(JSON.parse(checked.stdout)).toMatchObject({ ok: true, nf: "my_limiter", refusals: [], measured: { state_bytes_max: { value: 16, limit: 4096 } } });
});

test("its test passes there, and a broken one fails with the assertion", async () => {
  const passed = await cli.run("test", "my_limiter", "--json");
  expect(passed).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(passed.stdout)).toMatchObject({ folder: "my_limiter", passed: 1, failed: 0, skipped: 0 });
  expect(readdirSync(cli.path("my_limiter")).sort()).toEqual(["README.md", "assembly", "build", "my_limiter.test.ts", "nf.yaml", "tsconfig.json"]);

  const path = cli.path("my_limiter/my_limiter.test.ts");
  writeFileSync(path, readFileSync(path, "utf8").replace("DROP limit", "DROP policy"));
  const failed = await cli.run("test", "my_limiter", "--json");
  expect(failed.code).toBe(1);
  const report = JSON.parse(failed.stdout) as { failed: number; tests: { messages: string[] }[] };
  expect(report.failed).toBe(1);
  expect(report.tests[0]!.messages[0]).toContain("DROP policy");
});

test("the editor's settings are right: tsc accepts the test", async () => {
  const { spawnSync } = await import("node:child_process");
  const { ROOT } = await import("../package.ts");
  const tsc = spawnSync(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", cli.path("my_limiter")], { encoding: "utf8" });
  expect(tsc.stdout).toBe("");
});

test.each([
  ["Upper", /cannot be an NF's name/],
  ["my_limiter", /is there already and not empty/],
])("init %s is refused, nothing is written", async (name, message) => {
  const before = readdirSync(cli.folder);
  const { code, stderr } = await cli.run("init", name);
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
  expect(readdirSync(cli.folder)).toEqual(before);
});

test("a source that does not compile is one error at its line", async () => {
  mkdirSync(cli.path("broken/assembly"), { recursive: true });
  writeFileSync(cli.path("broken/nf.yaml"), "apiVersion: nfactor/v1\nname: broken\nversion: 1.0.0\n");
  writeFileSync(
    cli.path("broken/assembly/index.ts"),
    'import { NetworkFunction, NoConfig, NoState, Packet, Verdict } from "@nfactor/sdk";\nexport class Broken extends NetworkFunction<NoState, NoConfig> {\n  process(p: Packet, s: NoState): Verdict {\n    return nothing;\n  }\n}\n',
  );
  const { code, stderr } = await cli.run("build", "broken");
  expect(code).toBe(2);
  expect(stderr).toMatch(/^error\[build\.compile\]: broken\/assembly\/index\.ts:4:12: /);
});
