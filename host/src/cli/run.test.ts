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

async function run(...args: string[]): Promise<{ result: RunResult; stdout: string }> {
  const { code, stdout, stderr } = await cli.run("run", "--json", "--in", "in.pcap", ...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return { result: runResultSchema.parse(JSON.parse(stdout)), stdout };
}

/** An NF made by init whose source has one line in place of another. */
async function changed(name: string, line: string): Promise<{ line: number }> {
  await cli.run("init", name);
  const path = cli.path(`${name}/assembly/index.ts`);
  const source = readFileSync(path, "utf8").replace("    s.passed += 1;", `    ${line}\n    s.passed += 1;`);
  writeFileSync(path, source);
  return { line: source.split("\n").findIndex((text) => text.includes(line)) + 1 };
}

test("a capture of which nothing is blocked comes out as it went in", async () => {
  const { result } = await run("--chain", "flow_monitor,./limit", "--out", "out.pcap");
  expect(readFileSync(cli.path("out.pcap")).equals(readFileSync(CAPTURE))).toBe(true);
  expect(result.packets).toEqual({ received: 161, sent: 161, held: 0, dropped: {} });
  for (const { packets, bytes, nfs } of result.flows) {
    expect(nfs["flow_monitor"]).toMatchObject({ packets: packets.map(String), bytes: bytes.map(String) });
    expect(nfs["limit"]).toEqual({ passed: String(packets[0] + packets[1]), dropped: "0" });
  }
});

test("the simulator prints the same object for the same flags", async () => {
  writeFileSync(cli.path("two.yaml"), "packetsPerFlow: 2\n");
  const flags = ["--chain", "http_parser,few=./limit", "--nf-config", "few=two.yaml", "--client", "10.77.0.1"];
  const { stdout, result } = await run(...flags);
  const simulated = await cli.run("sim", "--json", "--in", "in.pcap", ...flags);
  expect(JSON.parse(stdout)).toEqual(JSON.parse(simulated.stdout));
  const dropped = result.packets.dropped["few.limit"]!;
  expect(dropped).toBeGreaterThan(100);
  expect(result.packets.received).toBe(result.packets.sent + dropped + result.packets.held);
});

test("a throw in an NF: its source line on stderr, and counted in the result", async () => {
  const { line } = await changed("thrower", 'if (s.passed == 3) throw new Error("three");');
  const { code, stdout, stderr } = await cli.run("run", "--json", "--in", "in.pcap", "--chain", "flow_monitor,./thrower");
  expect(code).toBe(0);
  const { faults, packets } = runResultSchema.parse(JSON.parse(stdout));
  expect(faults).toMatchObject([{ nf: "thrower", kind: "abort", message: "three", file: "assembly/index.ts", line }]);
  expect(packets.dropped["nf_fault"]).toBe(faults[0]!.count);
  expect(packets.received).toBe(packets.sent + packets.held + Object.values(packets.dropped).reduce((sum, n) => sum + n, 0));
  expect(stderr).toContain(`  three\n  thrower/assembly/index.ts:${line}:`);
  expect(stderr).toContain(`${String(line).padStart(6)} |     if (s.passed == 3) throw new Error("three");`);
});

test("an endless loop is a fault of the NF, and costs the other flows no packet", async () => {
  const { line } = await changed("looper", "while (p.flow.initiatorPort == 41452) {}");
  const { code, stdout, stderr } = await cli.run("run", "--json", "--in", "in.pcap", "--chain", "./looper");
  expect(code).toBe(0);
  const { faults, packets, flows } = runResultSchema.parse(JSON.parse(stdout));
  expect(faults).toMatchObject([{ nf: "looper", kind: "deadline", file: "assembly/index.ts", line, count: 1 }]);
  expect(stderr).toContain(`looper/assembly/index.ts:${line}:`);
  // Only the connection on which it looped is lost: its packet, and for a while those that follow. It has 10.
  expect(packets).toEqual({ received: 161, sent: 151, held: 0, dropped: { nf_fault: 1, flow_refused: 9 } });
  expect(flows.filter(({ key }) => key.initiator.port === 41452)).toMatchObject([{ packets: [1, 0] }]);
});

test("a rule that the firewall cannot read is an error at its place in the file", async () => {
  writeFileSync(
    cli.path("rules.yaml"),
    "apiVersion: nfactor/v1\nchain:\n  - nf: flow_monitor\n  - nf: firewall\n    config:\n      rules:\n        - { action: drop, protocol: tcp, ports: 25-23 }\n",
  );
  const { code, stderr } = await cli.run("run", "--config", "rules.yaml", "--in", "in.pcap", "--out", "none.pcap");
  expect(code).toBe(2);
  expect(stderr).toMatch(/^error\[config\.port_range\]: rules\.yaml:7:49: chain 'firewall': .*'25-23'.*: the first is above the last/);
  expect(existsSync(cli.path("none.pcap"))).toBe(false);
});

test.each([
  ["truncated", readFileSync(CAPTURE).subarray(0, 5000), "capture.truncated"],
  ["empty", Buffer.alloc(0), "capture.format"],
  ["no capture", Buffer.from("this is text, not packets at all, and long enough for a header"), "capture.format"],
])("a capture that is %s is refused, nothing is left half done", async (_, bytes, error) => {
  writeFileSync(cli.path("bad.pcap"), bytes);
  const before = readdirSync(cli.folder);
  const { code, stdout, stderr } = await cli.run("run", "--chain", "./limit", "--in", "bad.pcap", "--out", "half.pcap");
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(new RegExp(`^error\\[${error.replace(".", "\\.")}\\]: .*bad\\.pcap`));
  expect(stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(2);
  expect(readdirSync(cli.folder)).toEqual(before);
});

test("the native part that is not built is an error that says what to run", async () => {
  const bare = new Cli({ NFACTOR_ADDON: "/nowhere/addon.node", NFACTOR_NFACTORD: "/nowhere/nfactord" });
  const { code, stderr } = await bare.run("run", "--chain", "flow_monitor", "--in", CAPTURE);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^error\[native\.missing\]: .*\n {2}Run 'npm run build'/);
  bare.remove();
});
