/** Some of the hostile corpus through the command line, as an operator meets it: forged artifacts are refused by their rule, the others contained. */
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cli } from "../../host/src/cli/testing.ts";
import { runResultSchema } from "../../host/src/result/run_result.ts";
import { ROOT } from "../../scripts/lib/live_host.ts";
import { HOSTILE, buildHostile } from "./corpus.ts";

const CAPTURE = join(ROOT, "test/fixtures/http.pcap");
const PRINTABLE = /^(\P{C}|\n)*$/u;

let cli: Cli;
beforeAll(() => {
  cli = new Cli();
});
afterAll(() => cli.remove());

/** What somebody forges; refusals.test.ts has all that is refused. */
const FORGED: readonly string[] = [
  "native_object",
  "native_object_as_core",
  "without_metadata",
  "two_modules",
  "nested_component",
  "two_manifests",
  "manifest_escape",
  "state_schema_lies",
  "import_wasi",
  "large_component",
  "trailing_garbage",
];

describe("refused by nfactor run", () => {
  it.each(FORGED)("%s", async (name) => {
    const { expect: wanted } = HOSTILE.find((entry) => entry.name === name)!;
    writeFileSync(cli.path("forged.wasm"), await buildHostile(name));
    const before = readdirSync(cli.folder);
    const { code, stdout, stderr } = await cli.run("run", "--chain", "f=./forged.wasm", "--in", CAPTURE, "--out", "out.pcap");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(PRINTABLE);
    expect(stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(2);
    const [, rule] = /^error\[admission\.refused\]: forged\.wasm is refused by rule (\w+): /.exec(stderr) ?? [];
    if (name === "large_component")
      expect(stderr).toMatch(/^error\[nf\.artifact\]: forged\.wasm has \d+ bytes, which is no artifact of an NF\.\n {2}Allowed: /);
    else expect("refused" in wanted && wanted.refused).toContain(rule);
    expect(readdirSync(cli.folder)).toEqual(before);
  });
});

/** Kinds of faults that come about in different ways: by the processor, by the guest's own word, by the watchdog, by the checks. */
const CONTAINED: [name: string, kind: string][] = [
  ["store_null", "out_of_bounds"],
  ["abort_control_characters", "abort"],
  ["loop_registers", "deadline"],
  ["recursion_deep", "stack"],
  ["verdict_unknown", "bad_result"],
];

describe("contained by nfactor run", () => {
  it.each(CONTAINED)("%s: %s, until it is quarantined; the run goes on to its end", async (name, kind) => {
    writeFileSync(cli.path("hostile.wasm"), await buildHostile(name));
    const { code, stdout, stderr } = await cli.run(
      "run",
      "--chain",
      "front=flow_monitor,./hostile.wasm,back=flow_monitor",
      "--in",
      CAPTURE,
      "--out",
      `${name}.pcap`,
      "--json",
      "--quiet",
    );
    expect(code).toBe(0);
    const { packets, flows, faults } = runResultSchema.parse(JSON.parse(stdout));
    expect(faults).toMatchObject([{ nf: "hostile", kind, count: 10 }]);
    expect(packets.dropped["nf_fault"]).toBe(10);
    expect(packets.received).toBe(packets.sent + packets.held + Object.values(packets.dropped).reduce((sum, n) => sum + n, 0));
    // What is not IP does not pass NFs.
    expect(packets.sent).toBeGreaterThan(0);
    expect(flows.length).toBeGreaterThan(10);
    // Who stands before it, in either direction, has seen everything.
    for (const { packets: counted, nfs } of flows) {
      const seen = [(nfs["front"]?.["packets"] as string[] | undefined)?.[0], (nfs["back"]?.["packets"] as string[] | undefined)?.[1]];
      expect(seen.map((n) => n ?? "0")).toEqual(counted.map(String));
    }
    expect(stderr).toMatch(new RegExp(`^fault  hostile 1\\.0\\.0 \\(sha256:\\w+…\\)  ${kind.replaceAll("_", " ")} `, "m"));
    expect(stderr).toMatch(/^quarantine {2}hostile: 10 faults in short order/m);
    expect(stderr).toMatch(PRINTABLE);
    expect(existsSync(cli.path(`${name}.pcap`))).toBe(true);
  });

  it.each([
    ["loop_init", "nf.start"],
    ["configure_refuses", "config.refused"],
  ])("%s: nothing is started", async (name, error) => {
    writeFileSync(cli.path("hostile.wasm"), await buildHostile(name));
    const { code, stdout, stderr } = await cli.run("run", "--chain", "./hostile.wasm", "--in", CAPTURE, "--out", "none.pcap");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(`error[${error}]: chain 'hostile': `);
    expect(stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(2);
    expect(existsSync(cli.path("none.pcap"))).toBe(false);
  });
});
