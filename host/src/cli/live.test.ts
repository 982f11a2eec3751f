import { type ChildProcess } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NetworkLab } from "../../../scripts/lib/network_lab.ts";
import { NFACTOR } from "../package.ts";
import { type RunResult, runResultSchema } from "../result/run_result.ts";
import { flowsResult, swapResult } from "../rpc/protocol.ts";
import { Cli, type Ran, finished } from "./testing.ts";

/** Network namespaces and raw sockets need root. */
describe.skipIf(process.getuid?.() !== 0)("a live host", () => {
  let cli: Cli;
  let lab: NetworkLab;
  let host: ChildProcess;
  let ended: Promise<Ran>;
  const socket = () => join(cli.folder, "nfactor-0/left-right.sock");

  const start = (...args: string[]): void => {
    const command = [NFACTOR, "run", "--client-iface", "left", "--server-iface", "right", ...args];
    host = lab.spawn("wire", process.execPath, command, { cwd: cli.folder, env: { ...process.env, XDG_RUNTIME_DIR: cli.folder } });
    ended = finished(host);
  };
  const answers = async (): Promise<void> => {
    for (let i = 0; i < 600; i++) {
      if (existsSync(socket()) && (await cli.run("flows")).code === 0) return;
      if (host.exitCode !== null) throw new Error(`the host ended: ${(await ended).stderr}`);
      await new Promise((done) => setTimeout(done, 100));
    }
    throw new Error("the host does not answer");
  };
  const ping = async (count: number): Promise<string> =>
    (await lab.run("client", "ping", ["-c", String(count), "-i", "0.02", "-W", "2", lab.serverAddress])).stdout;
  const source = (name: string, from: string | RegExp, to: string): void => {
    const path = cli.path(name);
    writeFileSync(path, readFileSync(path, "utf8").replace(from, to));
  };

  beforeAll(async () => {
    cli = new Cli();
    lab = new NetworkLab();
    for (const name of ["limit", "next", "wider"]) await cli.run("init", name);
    source("next/nf.yaml", "version: 0.1.0", "version: 0.2.0");
    source("wider/assembly/index.ts", "  passed: u64;", "  passed: u64;\n  bytes: u64;");
    writeFileSync(cli.path("few.yaml"), "packetsPerFlow: 30\n");
    start("--chain", "flow_monitor,l=./limit", "--json");
    await answers();
  });
  afterAll(() => {
    lab.close();
    cli.remove();
  });

  test("passes traffic, and shows its flows with states by field", async () => {
    expect(await ping(10)).toContain("10 received");
    const { code, stdout } = await cli.run("flows", "icmp", lab.serverAddress, "--json");
    expect(code).toBe(0);
    const { flows, more } = flowsResult.parse(JSON.parse(stdout));
    expect({ count: flows.length, more }).toEqual({ count: 1, more: false });
    expect(flows[0]).toMatchObject({
      key: { protocol: "icmp", initiator: { address: lab.clientAddress }, responder: { address: lab.serverAddress } },
      packets: [10, 10],
      bytes: [980, 980],
      nfs: { flow_monitor: { packets: ["10", "10"] }, l: { passed: "20", dropped: "0" } },
    });
    expect((await cli.run("flows", "udp")).stdout).toMatch(/^0 flows of [1-9]/m);
  });

  test("a dry run changes nothing", async () => {
    const { code, stdout } = await cli.run("swap", "l", "next", "--dry-run");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^l: limit 0\.1\.0 .* → 0\.2\.0 .*: would be accepted.*Nothing was changed\.$/m);
  });

  test("swaps a new version in: flows keep their states, no packet is dropped", async () => {
    const traffic = ping(100);
    await new Promise((done) => setTimeout(done, 200));
    const { code, stdout, stderr } = await cli.run("swap", "l", "next", "--json");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const result = swapResult.parse(JSON.parse(stdout));
    expect(result).toMatchObject({ entry: "l", from: { name: "limit", version: "0.1.0" }, to: { name: "next", version: "0.2.0" }, packets_dropped: 0 });
    expect(result.flows).toBeGreaterThan(0);
    expect(result.pause_ns).toBeGreaterThan(0);
    expect(await traffic).toContain("100 received");
    const { flows } = flowsResult.parse(JSON.parse((await cli.run("flows", "icmp", "l.passed=200", "--json")).stdout));
    expect(flows).toHaveLength(1);
  });

  test("another configuration is a swap too, and a wrong one is refused at its line", async () => {
    expect(await cli.run("swap", "l", "next", "--config", "few.yaml")).toMatchObject({ code: 0 });
    expect(await ping(20)).toContain("15 received");
    writeFileSync(cli.path("wrong.yaml"), "packetsPerFlow: lots\n");
    const { code, stderr } = await cli.run("swap", "l", "next", "--config", "wrong.yaml");
    expect(code).toBe(2);
    expect(stderr).toContain("error[config.field]: wrong.yaml:1:17: chain 'l': 'packetsPerFlow' is \"lots\".");
  });

  test("another layout is refused with the difference field by field, and the host goes on", async () => {
    const { code, stdout, stderr } = await cli.run("swap", "l", "wider");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("error[swap.layout]: the state layout of version 0.1.0 is not that of the running version 0.2.0");
    const rows = stderr.split("\n").map((line) => line.trim().split(/ {2,}/));
    expect(rows).toContainEqual(["(slot)", "16 bytes", "24 bytes", "larger"]);
    expect(rows).toContainEqual(["dropped", "u64 @8", "u64 @16", "moved"]);
    expect(rows).toContainEqual(["bytes", "-", "u64 @8", "added"]);
    expect((await cli.run("swap", "ll", "next")).stderr).toContain("error[swap.entry]: the chain has no entry 'll'.\n  Allowed: flow_monitor, l.");
    expect(await ping(5)).toContain("5 received");
  });

  test("a second host of the same name is refused", async () => {
    const second = lab.spawn("wire", process.execPath, [NFACTOR, "run", "--chain", "./limit", "--client-iface", "left", "--server-iface", "right"], {
      cwd: cli.folder,
      env: { ...process.env, XDG_RUNTIME_DIR: cli.folder },
    });
    const { code, stderr } = await finished(second);
    expect(code).toBe(1);
    expect(stderr).toContain("another host listens on");
    expect(await ping(5)).toContain("5 received");
  });

  test("Ctrl-C: what is in flight leaves, the result has ended flows and open ones, nothing is left", async () => {
    host.kill("SIGINT");
    const { code, stdout, stderr } = await ended;
    expect(code).toBe(0);
    const result: RunResult = runResultSchema.parse(JSON.parse(stdout));
    const { received, sent, held, dropped } = result.packets;
    expect(received).toBe(sent + held + Object.values(dropped).reduce((sum, n) => sum + n, 0));
    // 15 requests and their replies passed, the 5 requests after them did not.
    expect(dropped).toEqual({ "l.limit": 5 });
    expect(result.flows.filter(({ key }) => key.protocol === "icmp").length).toBeGreaterThanOrEqual(5);
    expect(result.faults).toEqual([]);
    expect(stderr).toContain("running: left-right   left > flow_monitor > l > right");
    expect(stderr.match(/^swap {2}l: /gm)).toHaveLength(2);
    expect(existsSync(socket())).toBe(false);
    expect((await cli.run("flows")).stderr).toContain("error[host.not_running]: no running host was found.");
  });

  test("SIGTERM does the same, and --duration ends a host by itself", async () => {
    start("--chain", "./limit", "--quiet");
    await answers();
    host.kill("SIGTERM");
    expect(await ended).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+ received, \d+ sent, 0 dropped, 0 held\n/) as string });
    start("--chain", "./limit", "--quiet", "--duration", "1");
    expect(await ended).toMatchObject({ code: 0, stderr: "" });
  });
});
