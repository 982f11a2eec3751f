/**
 * The same NFs, configuration and packets through the native dataplane and through the simulator, two programs that share nothing but
 * docs/packet_path.md: the same bytes, counters, states and faults are wanted.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunResult } from "../../host/src/result/run_result.ts";
import { ROOT, nfactorJson } from "../../scripts/lib/live_host.ts";
import { classicPcap } from "./pcap_file.ts";
import { generateTraffic } from "./traffic.ts";

const folder = mkdtempSync(join(tmpdir(), "nfactor-conformance-"));
const SEED = Number(process.env["NF_CONFORMANCE_SEED"] ?? 20261124);
const GENERATED = 10_000;

const captures: Record<string, string> = {
  fixture: join(ROOT, "test/fixtures/http.pcap"),
  generated: join(folder, "generated.pcap"),
  damaged: join(folder, "damaged.pcap"),
};
const CLIENTS = ["--client", "10.0.0.0/8", "--client", "fd77::/120"];

const FIREWALL = `default: drop
rules:
  - { action: drop, protocol: tcp, ports: 22-23 }
  - { action: drop, protocol: tcp, to: 192.0.2.12/32 }
  - { action: allow, side: client, from: 10.0.0.0/8 }
  - { action: allow, protocol: udp }
  - { action: allow, protocol: icmpv6 }
  - { action: allow, protocol: tcp, from: "fd77::/64", ports: 80 }
`;
const NAT = "addresses: [198.51.100.1]\n";
const BALANCER = `tableSize: 1009
services:
  - { addresses: [192.0.2.10, 192.0.2.11, 192.0.2.12], protocol: tcp, port: 80, backends: [{ address: 192.0.2.10 }, { address: 203.0.113.5, port: 8080, weight: 2 }] }
  - { addresses: [192.0.2.13], protocol: tcp, port: 80, backends: [{ address: 192.0.2.13 }] }
  - { addresses: [192.0.2.14], protocol: tcp, port: 80, backends: [{ address: 192.0.2.15, healthy: false }] }
  - { addresses: [192.0.2.10, 192.0.2.15], protocol: udp, port: 53, backends: [{ address: 192.0.2.10 }, { address: 192.0.2.15 }] }
  - { addresses: [192.0.2.11, 192.0.2.12], protocol: udp, port: 9000, backends: [{ address: 203.0.113.6, port: 9001 }] }
  - { addresses: ["fd77::c8", "fd77::2"], protocol: tcp, port: 80, backends: [{ address: "fd77::c8" }, { address: "fd99::1", port: 81 }] }
  - { addresses: ["fd77::c9"], protocol: udp, port: 9000, backends: [{ address: "fd99::2", port: 9001 }] }
  - { addresses: ["fd77::c9", "fd77::ca"], protocol: udp, port: 53, backends: [{ address: "fd77::c9" }, { address: "fd99::3", weight: 0 }] }
`;
const RATE = "packetsPerSecond: 100\nburst: 3\n";

interface Case {
  title: string;
  args: string[];
  on: string[];
}
const all = Object.keys(captures);
const configs: Record<string, string> = { firewall: FIREWALL, load_balancer: BALANCER, nat44: NAT, rate_limiter: RATE };
const chain = (...nfs: string[]): string[] => [
  "--chain",
  nfs.join(","),
  ...nfs.filter((nf) => nf in configs).flatMap((nf) => ["--nf-config", `${nf}=${join(folder, `${nf}.yaml`)}`]),
  ...(nfs.includes("nat44") ? ["--grant", "nat44", "--lease", "nat44=200"] : []),
  ...(nfs.includes("load_balancer") ? ["--grant", "load_balancer"] : []),
  ...CLIENTS,
];
const cases: Case[] = [
  { title: "flow_monitor", args: chain("flow_monitor"), on: all },
  { title: "firewall", args: chain("firewall"), on: all },
  { title: "http_parser", args: chain("http_parser"), on: all },
  { title: "rate_limiter", args: chain("rate_limiter"), on: ["generated"] },
  { title: "nat44", args: chain("nat44"), on: all },
  { title: "load_balancer", args: chain("load_balancer"), on: all },
  { title: "monitor, firewall and HTTP", args: chain("flow_monitor", "firewall", "http_parser"), on: all },
  { title: "firewall and NAT, few flows", args: [...chain("firewall", "nat44"), "--max-flows", "64"], on: ["generated", "damaged"] },
  { title: "firewall, NAT and load balancer", args: chain("firewall", "nat44", "load_balancer"), on: all },
  {
    title: "all of them, non-IP dropped",
    args: [...chain("flow_monitor", "rate_limiter", "firewall", "http_parser", "nat44", "load_balancer"), "--non-ip", "drop", "--seed", "7"],
    on: all,
  },
];

beforeAll(() => {
  writeFileSync(captures["generated"]!, classicPcap(generateTraffic(SEED, GENERATED)));
  writeFileSync(captures["damaged"]!, classicPcap(generateTraffic(SEED + 1, GENERATED / 2, 60)));
  for (const [nf, text] of Object.entries(configs)) writeFileSync(join(folder, `${nf}.yaml`), text);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(cases)("$title", ({ args, on }) => {
  test.each(on)(`on the ${"%s"} capture (seed ${SEED})`, async (name) => {
    const run = (command: string, out: string) =>
      nfactorJson<RunResult>([command, ...args, "--in", captures[name]!, "--out", out, "--quiet"], { timeoutMs: 240_000 });
    const [nativeOut, simulatedOut] = [join(folder, "native.pcap"), join(folder, "simulated.pcap")];
    const native = await run("run", nativeOut);
    const simulated = await run("sim", simulatedOut);
    expect(native.packets).toEqual(simulated.packets);
    // One flow at a time: a difference is then readable.
    expect(native.flows.length).toBe(simulated.flows.length);
    native.flows.forEach((flow, i) => expect(flow).toEqual(simulated.flows[i]));
    expect(native).toEqual(simulated);
    expect(readFileSync(nativeOut).equals(readFileSync(simulatedOut)), "the output files differ").toBe(true);
    const { received, sent, held, dropped, emitted = 0 } = native.packets;
    expect(received + emitted).toBe(sent + held + Object.values(dropped).reduce((a, b) => a + b, 0));
    if (name !== "fixture") expect(received).toBeGreaterThan(GENERATED / 2 - 1);
  });
});
