/** A capture of curl and nginx through the chain, judged by tshark and cmp. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunResult } from "../../host/src/result/run_result.ts";
import { ROOT, nfactor, nfactorJson } from "../../scripts/lib/live_host.ts";
import { NetworkLab } from "../../scripts/lib/network_lab.ts";
import { type Exchange, conversations, httpExchanges } from "./tshark.ts";

const CHAIN = "flow_monitor,firewall,http_parser";
const folder = mkdtempSync(join(tmpdir(), "nfactor-e2e-"));
const fixture = join(ROOT, "test/fixtures/http.pcap");
const recorded = join(folder, "recorded.pcap");

/** curl and nginx with nothing of ours between them, recorded by tcpdump. */
async function record(): Promise<void> {
  const lab = new NetworkLab();
  try {
    await lab.run("wire", "sh", ["-ec", "ip link add name br0 type bridge; ip link set left master br0; ip link set right master br0; ip link set br0 up"]);
    const www = await lab.startNginx();
    writeFileSync(join(www, "page.html"), "x".repeat(30_000));
    const capture = lab.spawn("client", "tcpdump", ["-i", "veth0", "-s", "0", "--immediate-mode", "-U", "-w", recorded]);
    await new Promise((done) => setTimeout(done, 1000));
    const server = `http://${lab.serverAddress}`;
    const curl = (...args: string[]) => lab.run("client", "curl", ["-s", "-o", "/dev/null", "--max-time", "10", ...args]);
    await curl(`${server}/hello`);
    await curl(`${server}/page.html`, `${server}/missing`, `${server}/hello`);
    await curl("-X", "POST", "-d", "a=1&b=2", `${server}/page.html`);
    await curl("-I", `http://[${lab.serverAddress6}]/page.html`);
    await curl("-L", `${server}:8080/moved`);
    await curl("-H", `X-Long: ${"y".repeat(3000)}`, `${server}/hello?with=a&query=string`);
    await new Promise((done) => setTimeout(done, 500));
    const ended = new Promise((done) => capture.once("exit", done));
    capture.kill("SIGINT");
    await ended;
  } finally {
    lab.close();
  }
}

beforeAll(record, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const keyOf = ({ key }: RunResult["flows"][number]): string =>
  `${key.protocol} ${key.initiator.address}:${key.initiator.port} > ${key.responder.address}:${key.responder.port}`;

function exchangesOf(result: RunResult): Map<string, Exchange[]> {
  const found = new Map<string, Exchange[]>();
  for (const { key, nfs } of result.flows) {
    const http = nfs["http_parser"];
    const requests = Number(http?.["requests"] ?? 0);
    if (http === undefined || requests === 0) continue;
    const statuses = http["statuses"] as number[];
    const list = Array.from({ length: requests }, (_, i) => ({
      method: String(http[`method${i}`]),
      path: String(http[`path${i}`]),
      host: String(http[`host${i}`]),
      status: statuses[i]!,
    }));
    found.set(`${key.initiator.address}:${key.initiator.port}`, list);
  }
  return found;
}

describe.each([
  ["the fixture", fixture],
  ["a capture recorded just now", recorded],
])("%s", (_, capture) => {
  const out = join(folder, "out.pcap");
  let result: RunResult;
  beforeAll(async () => {
    result = await nfactorJson<RunResult>(["run", "--chain", CHAIN, "--in", capture, "--out", out, "--quiet"]);
  });

  test("HTTP methods, paths, hosts and status codes are tshark's", () => {
    const wanted = httpExchanges(capture);
    expect(wanted.size).toBeGreaterThan(3);
    const found = exchangesOf(result);
    expect([...found.keys()].sort()).toEqual([...wanted.keys()].sort());
    for (const [client, exchanges] of wanted) {
      // Paths and hosts are kept up to a length.
      const kept = exchanges.map(({ method, path, host, status }) => ({ method, path: path.slice(0, 64), host: host.slice(0, 40), status }));
      expect(found.get(client), client).toEqual(kept);
    }
  });

  test("packets and bytes of each flow are tshark's conversations", () => {
    for (const protocol of ["tcp", "udp"] as const) {
      const wanted = conversations(capture, protocol);
      const found = result.flows
        .filter(({ key }) => key.protocol === protocol)
        .map((flow) => {
          // tshark does not count ICMP errors in the conversation that they are about; we do.
          const errors = (flow.nfs["flow_monitor"]?.["icmpErrors"] as [number, number] | undefined) ?? [0, 0];
          expect(protocol === "tcp" ? errors : [0, 0]).toEqual([0, 0]);
          const packets = [flow.packets[0] - errors[0], flow.packets[1] - errors[1]];
          return { key: keyOf(flow), packets, bytes: errors[1] > 0 ? [flow.bytes[0], 0] : flow.bytes };
        });
      expect(found.sort((a, b) => a.key.localeCompare(b.key))).toEqual(wanted.sort((a, b) => a.key.localeCompare(b.key)));
    }
  });

  test("nothing is blocked, so the output is the input, byte for byte", () => {
    execFileSync("cmp", [capture, out]);
    const { received, sent, held, dropped } = result.packets;
    expect({ sent, held, dropped }).toEqual({ sent: received, held: 0, dropped: {} });
    expect(result.faults).toEqual([]);
  });

  test("as pcapng and with nanoseconds, every record stays as it was", async () => {
    for (const format of ["pcapng", "nsecpcap"]) {
      const input = join(folder, `in.${format}`);
      const output = join(folder, `out.${format}`);
      execFileSync("editcap", ["-F", format, capture, input], { stdio: "ignore", timeout: 60_000 });
      await nfactorJson<RunResult>(["run", "--chain", CHAIN, "--in", input, "--out", output, "--quiet"]);
      const records = (file: string): string =>
        execFileSync("tshark", ["-r", file, "-x", "-t", "e"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], maxBuffer: 64 << 20, timeout: 60_000 });
      const times = (file: string): string =>
        execFileSync("tshark", ["-r", file, "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.len", "-e", "frame.cap_len"], {
          encoding: "utf8",
          stdio: ["ignore", "pipe", "ignore"],
          timeout: 60_000,
        });
      expect(times(output)).toBe(times(input));
      expect(records(output)).toBe(records(input));
      if (format === "nsecpcap") execFileSync("cmp", [input, output]);
    }
  });
});

test("what the firewall blocks is missing in the output, and counted", async () => {
  const rules = join(folder, "rules.yaml");
  const out = join(folder, "blocked.pcap");
  writeFileSync(rules, "default: allow\nrules:\n  - { action: drop, protocol: tcp, ports: 8080 }\n");
  const result = await nfactorJson<RunResult>(["run", "--chain", "fw=firewall", "--nf-config", `fw=${rules}`, "--in", fixture, "--out", out, "--quiet"]);
  const blocked = conversations(fixture, "tcp").filter(({ key }) => key.endsWith(":8080"));
  const packets = blocked.reduce((n, { packets }) => n + packets[0] + packets[1], 0);
  expect(packets).toBeGreaterThan(0);
  expect(result.packets.dropped).toEqual({ "fw.policy": packets });
  expect(result.packets.received).toBe(result.packets.sent + packets);
  expect(conversations(out, "tcp").filter(({ key }) => key.endsWith(":8080"))).toEqual([]);
  expect(conversations(out, "tcp").length).toBe(conversations(fixture, "tcp").length - blocked.length);
});

test("a truncated capture is an error that says where, and leaves no output", async () => {
  const input = join(folder, "truncated.pcap");
  const out = join(folder, "none.pcap");
  writeFileSync(input, readFileSync(fixture).subarray(0, 5000));
  const { code, stderr } = await nfactor(["run", "--chain", "flow_monitor", "--in", input, "--out", out, "--quiet"]);
  expect(code).toBe(2);
  expect(stderr).toMatch(/error\[capture\.truncated\]/);
  expect(() => readFileSync(out)).toThrow();
});
