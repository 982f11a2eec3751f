/** What `nfactor trace` and `capture` show of real packets through a chain that translates and drops. Needs root, as CI has. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { TraceResultJson } from "../../host/src/cli/results.ts";
import { LiveHost, nfactor } from "../../scripts/lib/live_host.ts";
import { NetworkLab } from "../../scripts/lib/network_lab.ts";
import { describeAsRoot } from "./testing/labs.ts";

const NAT = "192.0.2.1";
const PORT = 4321;
describeAsRoot("trace", () => {
  let lab: NetworkLab;
  beforeEach(async () => {
    lab = new NetworkLab();
    lab.silence();
    lab.routeToClient(NAT);
    // With nobody at the port, the server's ICMP errors would be packets of the same flow.
    const listens = `require("node:dgram").createSocket("udp4").bind(${PORT}, () => console.log("listening"))`;
    await once(lab.spawn("server", process.execPath, ["-e", listens]).stdout!, "data");
  });
  afterEach(() => lab.close());

  const start = (runtimes: object): Promise<LiveHost> => {
    const config = join(lab.folder, "nfactor.yaml");
    const firewall = { default: "allow", rules: [{ action: "drop", protocol: "udp", side: "client", ports: "7777" }] };
    const chain = [
      { nf: "firewall", config: firewall },
      { nf: "nat44", grant: { edit: "headers" }, lease: { size: 64_512 }, config: { addresses: [NAT] } },
    ];
    writeFileSync(config, JSON.stringify({ apiVersion: "nfactor/v1", ...runtimes, chain }));
    return LiveHost.start(lab, "traced", ["--config", config]);
  };
  /** Sends when the command says that it has begun, and again until it has ended: what comes in the same moment may be too early. */
  const whileSending = async <T>(port: number, result: Promise<T>): Promise<T> => {
    let going = true;
    const ended = result.finally(() => (going = false));
    ended.catch(() => undefined);
    const send = `exec 3<>/dev/udp/${lab.serverAddress}/${port}; for i in 1 2 3 4 5 6 7 8 9 10; do echo -n x >&3; sleep 0.02; done`;
    while (going) await lab.run("client", "bash", ["-c", send]);
    return ended;
  };
  const lines = (text: string): TraceResultJson[] =>
    text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as TraceResultJson);

  const modes: [string, object][] = [
    ["in processes", { runtimes: { count: 2, processes: true } }],
    ["in one process, direct", {}],
    ["behind a switch in one process", { runtimes: { count: 2 } }],
  ];

  test.each(modes)(
    "the NAT's changes and the firewall's drops, hop by hop, %s",
    async (_, runtimes) => {
      const isSwitched = "runtimes" in runtimes;
      const host = await start(runtimes);
      const passed = await whileSending(PORT, host.run("trace", "--match", `udp port ${PORT}`, "-n", "2", "--json"));
      expect(passed.stderr).toContain("2 packets");
      expect(passed.code).toBe(0);
      const [packet, , end] = lines(passed.stdout);
      expect(end).toMatchObject({ totals: { packets: 2, missed: 0, lost_hops: 0 } });
      expect(packet!.is_whole).toBe(true);
      const nfs = packet!.hops.filter(({ hop }) => hop === "nf");
      expect(nfs.map(({ entry, verdict, changed }) => [entry, verdict, changed])).toEqual([
        ["firewall", "FORWARD", undefined],
        ["nat44", "FORWARD", true],
      ]);
      const changes = Object.fromEntries(nfs[1]!.changes!.map(({ field, from, to }) => [field, [from, to]]));
      expect(changes["ip.src"]).toEqual([lab.clientAddress, NAT]);
      expect(Object.keys(changes)).toEqual(expect.arrayContaining(["ip.checksum", "udp.src_port", "udp.checksum"]));
      const way = isSwitched ? ["in", "routed", "taken", "nf", "nf", "stamped", "gate", "out"] : ["in", "nf", "nf", "out"];
      expect(packet!.hops.map(({ hop }) => hop)).toEqual(way);
      expect(packet!.hops.slice(1).every(({ after_ns }) => after_ns !== undefined)).toBe(true);
      expect([packet!.hops[0]!.port, packet!.hops.at(-1)!.port]).toEqual(["client", "server"]);

      const dropped = await whileSending(7777, host.run("trace", "--match", `host ${lab.clientAddress} and port 7777`, "-n", "1"));
      expect(dropped.code).toBe(0);
      expect(dropped.stdout).toContain("DROP firewall.policy");
      expect(dropped.stdout).not.toContain("\x1b");
      await host.stop();
    },
    120_000,
  );

  test("a capture behind the NAT, and one of what the firewall drops, as tshark reads them", async () => {
    const host = await start({ runtimes: { count: 2, processes: true } });
    const file = join(lab.folder, "out.pcapng");
    const captured = await whileSending(PORT, host.run("capture", "--point", "nat44:out", "--match", "udp", "-n", "3", "-o", file));
    expect(captured.stderr + captured.stdout).toContain("3 packets");
    const tshark = (path: string): string[][] =>
      execFileSync("tshark", ["-r", path, "-T", "fields", "-e", "ip.src", "-e", "udp.dstport", "-e", "frame.comment", "-e", "udp.checksum.status"], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      })
        .trim()
        .split("\n")
        .map((line) => line.split("\t"));
    const packets = tshark(file);
    expect(packets).toHaveLength(3);
    for (const [source, port, comment] of packets) {
      expect([source, port]).toEqual([NAT, `${PORT}`]);
      expect(comment).toMatch(/firewall: FORWARD; nat44: FORWARD, changed it; out by server$/);
    }
    // Over a pipe, and of packets that go no further.
    const piped = await whileSending(7777, host.run("capture", "--point", "firewall:in", "--match", "port 7777", "-n", "2", "-o", "-"));
    const other = join(lab.folder, "piped.pcapng");
    writeFileSync(other, Buffer.from(piped.stdout, "latin1"));
    expect(piped.code).toBe(0);

    for (const [args, code, what] of [
      [["capture", "--point", "nat:out", "-o", file], 2, /error\[trace\.point\].*nat44:out/s],
      [["capture", "--point", "client", "-o", "/nowhere/x"], 1, /capture\.write/],
      [["trace", "--match", "firewall.tag=1"], 2, /a field of a state/],
    ] as const) {
      const { code: got, stderr } = await host.run(args[0], ...args.slice(1));
      expect([got, stderr]).toEqual([code, expect.stringMatching(what)]);
    }
    expect(readFileSync(file).length).toBeGreaterThan(0);
    // Whoever is killed leaves nothing behind that would be in the way.
    const client = await host.connect();
    await client.call("trace_start", { match: [], packets: 1, seconds: 60, frame_bytes: 64 });
    await expect(nfactor(["trace", "--host", join(lab.folder, `nfactor-${process.getuid!()}`, "traced.sock")])).resolves.toMatchObject({
      code: 1,
      stderr: expect.stringContaining("trace.busy") as string,
    });
    client.close();
    await host.stop();
  }, 120_000);
});
