/** The chain between real programs: curl, nginx and iperf3 through network namespaces. Needs root, as CI has. */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LiveHost, newVersion, nfactorJson } from "../../scripts/lib/live_host.ts";
import { NetworkLab } from "../../scripts/lib/network_lab.ts";
import { describeAsRoot } from "./testing/labs.ts";

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
/** NF_SWAPS: 100 by hand. A command for each takes a second. */
const SWAPS = Math.min(Number(process.env.NF_SWAPS ?? 30), 100);

describeAsRoot("live", () => {
  let lab: NetworkLab;
  beforeEach(() => {
    lab = new NetworkLab();
  });
  afterEach(() => lab.close());

  const settings = (chain: string): string => {
    const file = join(lab.folder, "nfactor.yaml");
    writeFileSync(file, `apiVersion: nfactor/v1\nchain:\n${chain}`);
    return file;
  };
  const balance = ({
    received,
    sent,
    held,
    dropped,
    emitted = 0,
  }: {
    received: number;
    sent: number;
    held: number;
    dropped: Record<string, number>;
    emitted?: number | undefined;
  }): number => received + emitted - sent - held - Object.values(dropped).reduce((a, b) => a + b, 0);

  test(`100 MB by curl while the firewall is swapped ${SWAPS} times, forth and back`, async () => {
    const www = await lab.startNginx();
    const file = randomBytes(100_000_000);
    writeFileSync(join(www, "large"), file);
    const host = await LiveHost.start(lab, "swaps", ["--config", settings("  - { nf: flow_monitor }\n  - { nf: firewall }\n  - { nf: http_parser }\n")]);
    const url = `http://${lab.serverAddress}/large`;
    const curl = lab.spawn("client", "curl", ["-sS", "--max-time", "300", url]);
    let stderr = "";
    curl.stderr!.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    const ended = once(curl, "close");
    // What is not taken from the pipe holds curl and then the server back: the download cannot end before it is let.
    const hash = createHash("sha256");
    let taken = 0;
    const take = (most: number): void => {
      const chunk = curl.stdout!.read(Math.min(most, curl.stdout!.readableLength)) as Buffer | null;
      taken += chunk?.length ?? 0;
      if (chunk !== null) hash.update(chunk);
    };
    const versions = [newVersion(lab, "firewall", "1.0.1"), newVersion(lab, "firewall", "1.0.2")];
    const artifacts = await Promise.all(versions.map(async (folder) => (await nfactorJson<{ nfs: { path: string }[] }>(["build", folder])).nfs[0]!.path));
    // About 2 MB/s, so that there is traffic in each swap, and not beyond a hundredth of the file a swap.
    for (let i = 0; i < SWAPS; i++) {
      const pace = setInterval(() => take(Math.min(20_000, (i + 1) * 980_000 - taken)), 10);
      const swap = await host.swap("firewall", artifacts[i % 2]!).finally(() => clearInterval(pace));
      expect(swap.packets_dropped).toBe(0);
      expect(curl.exitCode, `swap ${i + 1} of ${SWAPS} during the download`).toBeNull();
    }
    curl.stdout!.on("data", (chunk: Buffer) => hash.update(chunk));
    const [code] = (await ended) as [number];
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(hash.digest("hex")).toBe(sha256(file));
    const flows = (await host.flows("tcp", ":80")).flows;
    expect(flows.some((flow) => flow.bytes[1] > 100_000_000 && Number(flow.nfs["http_parser"]?.["requests"]) === 1)).toBe(true);
    const { packets, faults } = await host.stop();
    expect(faults).toEqual([]);
    expect(balance(packets)).toBe(0);
    expect(packets.held).toBe(0);
  }, 400_000);

  test("iperf3 for 10 seconds", async () => {
    const host = await LiveHost.start(lab, "iperf", ["--config", settings("  - { nf: flow_monitor }\n  - { nf: firewall }\n")]);
    lab.spawn("server", "iperf3", ["-s", "-1"]);
    await new Promise((done) => setTimeout(done, 300));
    const { code, stdout } = await lab.run("client", "iperf3", ["-c", lab.serverAddress, "-t", "10", "-J"], 30_000);
    expect(code).toBe(0);
    const { end } = JSON.parse(stdout) as { end: { sum_received: { bytes: number; bits_per_second: number }; sum_sent: { retransmits: number } } };
    console.log(`iperf3: ${(end.sum_received.bits_per_second / 1e9).toFixed(2)} Gbit/s, ${end.sum_sent.retransmits} retransmissions`);
    expect(end.sum_received.bytes).toBeGreaterThan(10_000_000);
    const { packets, faults } = await host.stop();
    expect(faults).toEqual([]);
    expect(balance(packets)).toBe(0);
  }, 90_000);

  test("through nat44: the server sees the pool's address, checksums hold, the download is right", async () => {
    const www = await lab.startNginx();
    const file = randomBytes(20_000_000);
    writeFileSync(join(www, "large"), file);
    lab.routeToClient("192.0.2.1");
    const chain =
      "  - { nf: flow_monitor }\n  - { nf: firewall }\n  - { name: nat, nf: nat44, grant: { edit: headers }, lease: { size: 64512 }, config: { addresses: [192.0.2.1] } }\n";
    const host = await LiveHost.start(lab, "nat", ["--config", settings(chain)]);
    const capture = join(lab.folder, "server.pcap");
    const tcpdump = lab.spawn("server", "tcpdump", ["-i", "veth0", "-s", "200", "--immediate-mode", "-U", "-c", "400", "-w", capture, "ip"]);
    await new Promise((done) => setTimeout(done, 1000));
    const received = join(lab.folder, "received");
    const { code } = await lab.run("client", "curl", ["-sS", "--max-time", "60", "-o", received, `http://${lab.serverAddress}/large`]);
    expect(code).toBe(0);
    expect(sha256(readFileSync(received))).toBe(sha256(file));
    // The kernel checks every checksum; a wrong one is counted.
    const ping = await lab.run("client", "ping", ["-c", "3", "-i", "0.2", "-W", "2", lab.serverAddress]);
    expect(ping.stdout).toMatch(/3 received/);
    const unreachable = await lab.run("client", "bash", ["-c", `echo x > /dev/udp/${lab.serverAddress}/9999; sleep 0.3`]);
    expect(unreachable.code).toBe(0);
    const counters = await lab.run("client", "nstat", ["-az", "TcpInCsumErrors", "UdpInCsumErrors", "IcmpInCsumErrors", "IpExtInCsumErrors"]);
    const server = await lab.run("server", "nstat", ["-az", "TcpInCsumErrors", "UdpInCsumErrors", "IcmpInCsumErrors", "IpExtInCsumErrors"]);
    for (const text of [counters.stdout, server.stdout])
      for (const line of text.split("\n").filter((l) => l.includes("Csum"))) expect(line.split(/\s+/)[1], line).toBe("0");
    tcpdump.kill("SIGINT");
    await new Promise((done) => setTimeout(done, 500));
    const { stdout: seen } = await lab.run("server", "tcpdump", ["-nr", capture, "tcp", "or", "icmp"]);
    expect(seen).toContain("192.0.2.1");
    expect(seen).not.toContain("10.77.0.1");
    const { packets, faults, flows } = await host.stop();
    expect(faults).toEqual([]);
    expect(balance(packets)).toBe(0);
    expect(flows.some(({ key }) => key.protocol === "tcp" && key.initiator.address === lab.clientAddress)).toBe(true);
  }, 120_000);

  test("Ctrl-C leaves no process, socket or file of the host", async () => {
    const before = new Set(readdirSync(lab.folder));
    const host = await LiveHost.start(lab, "leaves-nothing", ["--config", settings("  - { nf: flow_monitor }\n")]);
    await lab.run("client", "ping", ["-c", "2", "-i", "0.2", lab.serverAddress]);
    const { packets } = await host.stop();
    expect(packets.received).toBeGreaterThan(0);
    expect(balance(packets)).toBe(0);
    const { stdout: left } = await lab.run("wire", "sh", ["-c", "ip netns identify $$ >/dev/null; ip netns pids $(ip netns identify $$) | wc -l"]);
    expect(Number(left.trim())).toBeLessThanOrEqual(4); // this shell and its own commands
    expect(readdirSync(join(lab.folder, `nfactor-${process.getuid!()}`))).toEqual([]);
    // The folder of sockets is the user's, and empty.
    expect(readdirSync(lab.folder).filter((name) => !before.has(name))).toEqual([`nfactor-${process.getuid!()}`, "nfactor.yaml"]);
  }, 60_000);
});
