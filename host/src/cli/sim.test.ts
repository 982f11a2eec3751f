import { copyFileSync, existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../package.ts";
import { type RunResult, runResultSchema } from "../result/run_result.ts";
import { Cli } from "./testing.ts";

const CAPTURE = join(ROOT, "test/fixtures/http.pcap");

let cli: Cli;
beforeAll(async () => {
  cli = new Cli();
  await cli.run("init", "limit");
  copyFileSync(CAPTURE, cli.path("in.pcap"));
});
afterAll(() => cli.remove());

async function sim(...args: string[]): Promise<RunResult> {
  const { code, stdout, stderr } = await cli.run("sim", "--json", "--in", "in.pcap", ...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return runResultSchema.parse(JSON.parse(stdout));
}

test("a capture of which nothing is blocked comes out as it went in", async () => {
  const result = await sim("--chain", "./limit", "--out", "out.pcap");
  expect(readFileSync(cli.path("out.pcap")).equals(readFileSync(CAPTURE))).toBe(true);
  expect(result.packets).toEqual({ received: 161, sent: 161, held: 0, dropped: {} });
  for (const { packets, nfs } of result.flows) expect(nfs).toEqual({ limit: { passed: String(packets[0] + packets[1]), dropped: "0" } });
});

test("an NF's configuration from a file; its drops under the entry's name; received = sent + dropped + held", async () => {
  writeFileSync(cli.path("two.yaml"), "packetsPerFlow: 2\n");
  const { packets, flows } = await sim("--chain", "few=./limit", "--nf-config", "few=two.yaml", "--flows", "3");
  const dropped = packets.dropped["few.limit"]!;
  expect(packets.received).toBe(packets.sent + dropped + packets.held);
  expect(dropped).toBeGreaterThan(100);
  expect(flows).toHaveLength(3);
  expect(flows[0]!.nfs["few"]!["passed"]).toBe("2");
});

test("a throw in an NF: its source line on stderr, once, and counted in the result", async () => {
  await cli.run("init", "thrower");
  const path = cli.path("thrower/assembly/index.ts");
  const source = readFileSync(path, "utf8").replace("    s.passed += 1;", '    if (s.passed == 3) throw new Error("three");\n    s.passed += 1;');
  writeFileSync(path, source);
  const line = source.split("\n").findIndex((text) => text.includes("throw")) + 1;
  const { code, stdout, stderr } = await cli.run("sim", "--json", "--in", "in.pcap", "--chain", "./thrower");
  expect(code).toBe(0);
  const { faults, packets } = runResultSchema.parse(JSON.parse(stdout));
  expect(faults).toMatchObject([{ nf: "thrower", kind: "abort", message: "three", file: "assembly/index.ts", line }]);
  expect(packets.dropped["nf_fault"]).toBe(faults[0]!.count);
  expect(stderr).toContain(`  three\n  thrower/assembly/index.ts:${line}:`);
  expect(stderr).toContain(`${String(line).padStart(6)} |     if (s.passed == 3) throw new Error("three");`);
  expect(stderr.match(/^fault /gm)).toHaveLength(1);
});

test("a rule that the firewall cannot read is an error at its place in the file", async () => {
  writeFileSync(
    cli.path("rules.yaml"),
    "apiVersion: nfactor/v1\nchain:\n  - nf: firewall\n    config:\n      rules:\n        - { action: drop, protocol: tcp, ports: 25-23 }\n",
  );
  const { code, stderr } = await cli.run("sim", "--config", "rules.yaml", "--in", "in.pcap", "--out", "none.pcap");
  expect(code).toBe(2);
  expect(stderr).toMatch(/^error\[config\.port_range\]: rules\.yaml:6:49: chain 'firewall': .*'25-23'.*: the first is above the last/);
  expect(existsSync(cli.path("none.pcap"))).toBe(false);
});

test("a truncated capture is refused, nothing is left half done", async () => {
  writeFileSync(cli.path("cut.pcap"), readFileSync(CAPTURE).subarray(0, 5000));
  const before = readdirSync(cli.folder);
  const { code, stdout, stderr } = await cli.run("sim", "--chain", "./limit", "--in", "cut.pcap", "--out", "half.pcap");
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(/^error\[capture\.truncated\]: .*cut\.pcap/);
  expect(readdirSync(cli.folder)).toEqual(before);
});

test("for people: counts, flows, and what was written", async () => {
  const { stdout } = await cli.run("sim", "--chain", "./limit", "--in", "in.pcap", "--out", "text.pcap", "--flows", "1");
  expect(stdout.split("\n")).toEqual([
    "161 received, 161 sent, 0 dropped, 0 held",
    "12 flows",
    "  tcp 10.77.0.1:41448 > 10.77.0.2:80  8 + 6 packets, 777 + 1,200 bytes",
    "    limit: passed=14",
    "  and 11 more; --flows shows more of them",
    "wrote text.pcap",
    "",
  ]);
});
