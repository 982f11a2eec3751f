import { execFileSync, spawn } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NFACTOR, ROOT } from "../package.ts";
import { Cli, type Ran, finished } from "./testing.ts";

const CAPTURE = join(ROOT, "test/fixtures/http.pcap");

let cli: Cli;
beforeAll(async () => {
  cli = new Cli();
  await cli.run("init", "good");
  const built = await cli.run("build", "good", "--json");
  copyFileSync(cli.path((JSON.parse(built.stdout) as { nfs: { path: string }[] }).nfs[0]!.path), cli.path("good.wasm"));
});
afterAll(() => cli.remove());

/** One paragraph: the error's line and at most one more. */
function paragraph({ code, stdout, stderr }: Ran, exit: number): string {
  expect({ code, stdout }).toEqual({ code: exit, stdout: "" });
  expect(stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(2);
  return stderr;
}

async function refused(...args: string[]): Promise<string> {
  const before = readdirSync(cli.folder);
  const text = paragraph(await cli.run(...args), 2);
  expect(readdirSync(cli.folder)).toEqual(before);
  return text;
}

test("an unknown NF: what there is, and what was probably meant", async () => {
  const text = await refused("run", "--chain", "firewal", "--in", CAPTURE, "--out", "out.pcap");
  expect(text).toMatch(
    /^error\[nf\.not_found\]: there is no NF 'firewal': neither a path, nor in \.\/nf-wasm, nor shipped\.\n {2}Allowed: .*\bfirewall\b.* Did you mean 'firewall'\?$/m,
  );
});

test("a folder that is no NF, by name and as the working directory", async () => {
  mkdirSync(cli.path("nothing"));
  expect(await refused("run", "--chain", "nothing", "--in", CAPTURE)).toMatch(
    /^error\[nf\.not_found\]: 'nothing' has no nf\.yaml, so it is no NF\.\n {2}Allowed: /,
  );
  expect(await refused("build")).toMatch(/^error\[nf\.not_found\]: this folder has no nf\.yaml, so it is no NF\./);
});

test("a slip in a source: one error at its line, with the line; what follows from the first is cut", async () => {
  await cli.run("init", "slip");
  const path = cli.path("slip/assembly/index.ts");
  writeFileSync(path, readFileSync(path, "utf8").replaceAll("{\n", "\n"));
  const { code, stdout, stderr } = await cli.run("run", "--chain", "./slip", "--in", CAPTURE, "--out", "out.pcap");
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  const lines = stderr.trimEnd().split("\n");
  expect(lines.slice(0, 3)).toEqual(["error[build.compile]: slip/assembly/index.ts:4:7: '{' expected.", "     4 | class Config ", "       |       ^^^^^^"]);
  expect(lines.filter((line) => line.includes("slip/assembly/index.ts:"))).toHaveLength(3);
  expect(lines.at(-1)).toMatch(/^\d+ more, which may follow from these\.$/);
  expect(readdirSync(cli.folder)).not.toContain("out.pcap");
});

test("bad YAML: file, line, column", async () => {
  writeFileSync(cli.path("broken.yaml"), "apiVersion: nfactor/v1\nchain:\n  - { nf: good\n");
  expect(await refused("run", "--config", "broken.yaml", "--in", CAPTURE)).toMatch(/^error\[config\.yaml\]: broken\.yaml:4:1: /);
});

test("a field of an NF's configuration: its place in the host's file, what is allowed", async () => {
  writeFileSync(cli.path("field.yaml"), "apiVersion: nfactor/v1\nchain:\n  - nf: ./good\n    config: { packetsPerFlow: many }\n");
  const text = await refused("run", "--config", "field.yaml", "--in", CAPTURE, "--out", "out.pcap");
  expect(text).toContain("error[config.field]: field.yaml:4:31: chain 'good': 'packetsPerFlow' is \"many\".\n  Allowed: a whole number, 0 to 4294967295.");
});

test("a configuration that is wanted and not there: where to give it", async () => {
  const text = await refused("run", "--chain", "nat44", "--grant", "nat44", "--lease", "nat44=8", "--in", CAPTURE);
  expect(text).toBe(
    "error[config.field]: chain 'nat44': the configuration lacks 'addresses'.\n  Allowed: a list. Give it one with --nf-config nat44=<file>, or as 'config' in nfactor.yaml.\n",
  );
});

test("a missing interface, named in a flag or in the file", async () => {
  const text = await refused("run", "--chain", "./good", "--client-iface", "lo", "--server-iface", "nope0");
  expect(text).toMatch(/^error\[port\.missing\]: there is no network interface 'nope0'\.\n {2}Allowed: .*\blo\b/);
  writeFileSync(cli.path("ports.yaml"), "apiVersion: nfactor/v1\nports: { client: { iface: nope0 }, server: { iface: lo } }\nchain: [{ nf: ./good }]\n");
  expect(await refused("run", "--config", "ports.yaml")).toContain("error[port.missing]: ports.yaml:2:27: there is no network interface 'nope0'.");
  expect(await refused("run", "--chain", "./good", "--client-iface", "lo")).toContain("error[usage]: --server-iface is missing");
});

/** Needs root to make two interfaces and to become somebody without rights. */
test.skipIf(process.getuid?.() !== 0)("no permission for live interfaces", async () => {
  chmodSync(cli.folder, 0o755);
  const [a, b] = ["a", "b"].map((end) => `nfa${process.pid}${end}`) as [string, string];
  execFileSync("ip", ["link", "add", a, "up", "type", "veth", "peer", "name", b]);
  try {
    execFileSync("ip", ["link", "set", b, "up"]);
    const nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"];
    const args = [...nobody, process.execPath, NFACTOR, "run", "--chain", "./good", "--client-iface", a, "--server-iface", b];
    const ran = await finished(spawn("setpriv", args, { cwd: cli.folder, stdio: ["ignore", "pipe", "pipe"] }));
    expect(paragraph(ran, 1)).toMatch(/^error\[host\.permission\]: live interfaces need the capability CAP_NET_RAW.*\n {2}Run it with sudo\./);
  } finally {
    execFileSync("ip", ["link", "del", a]);
  }
});

test("a capture that is not there, or may not be overwritten", async () => {
  expect(await refused("run", "--chain", "./good", "--in", "none.pcap")).toMatch(/^error\[capture\.read\]: 'none\.pcap' does not exist/);
  copyFileSync(CAPTURE, cli.path("in.pcap"));
  expect(paragraph(await cli.run("run", "--chain", "./good", "--in", "in.pcap", "--out", "in.pcap"), 1)).toContain(
    "error[capture.write]: 'in.pcap' is the input too",
  );
  expect(readFileSync(cli.path("in.pcap")).equals(readFileSync(CAPTURE))).toBe(true);
  expect(paragraph(await cli.run("run", "--chain", "./good", "--in", "in.pcap", "--out", "none/out.pcap"), 1)).toContain("its folder does not exist");
});

test("rights that nobody granted", async () => {
  writeFileSync(cli.path("good/nf.yaml"), readFileSync(cli.path("good/nf.yaml"), "utf8").replace("{ view: headers }", "{ view: headers, edit: headers }"));
  const text = await refused("run", "--chain", "./good", "--in", CAPTURE, "--out", "out.pcap");
  expect(text).toContain("error[config.rights]: chain 'good': good asks for 'edit: headers', which is not granted.");
  expect(text).toContain("--grant good=edit:headers");
});

test("modules that break the ABI: the rule, the value, what to do", async () => {
  writeFileSync(cli.path("garbage.wasm"), "this is no module");
  expect(await refused("run", "--chain", "./garbage.wasm", "--in", CAPTURE)).toMatch(
    /^error\[admission\.refused\]: garbage\.wasm is refused by rule component_malformed: /,
  );
  const good = readFileSync(cli.path("good.wasm"));
  writeFileSync(cli.path("cut.wasm"), good.subarray(0, good.length >> 1));
  expect(await refused("run", "--chain", "./cut.wasm", "--in", CAPTURE)).toMatch(/^error\[admission\.refused\]: cut\.wasm is refused by rule /);

  const checked = await cli.run("check", "cut.wasm", "--json");
  expect(checked.code).toBe(2);
  expect(JSON.parse(checked.stdout)).toMatchObject({ ok: false, refusals: [{ rule: "component_malformed" }] });
  writeFileSync(cli.path("large.wasm"), Buffer.alloc(3 << 20));
  expect(await refused("run", "--chain", "./large.wasm", "--in", CAPTURE)).toMatch(/^error\[nf\.artifact\]: large\.wasm has 3145728 bytes/);
});
