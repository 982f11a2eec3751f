/**
 * Everything moves, all the time, between four runtimes under real traffic, and nobody notices: downloads, numbered datagrams, and thousands of connections
 * through NAT and load balancer. Needs root, as CI has.
 */
import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Random } from "@nfactor/sdk/test";
import { afterEach, expect, test } from "vitest";
import { NfError } from "../../sdk/errors.ts";
import type { ControlClient } from "../../host/src/rpc/client.ts";
import type { Params } from "../../host/src/rpc/protocol.ts";
import { HeldDownload } from "../../scripts/lib/held_download.ts";
import { LiveHost } from "../../scripts/lib/live_host.ts";
import { NetworkLab } from "../../scripts/lib/network_lab.ts";
import { tcpCounters } from "../../scripts/lib/tcp_counters.ts";
import { NumberedFlows } from "../../scripts/lib/numbered_flows.ts";
import { BalancedLab, balancedChain, before } from "./testing/balanced_lab.ts";
import { describeAsRoot } from "./testing/labs.ts";
import { keepsItsPromises, tableOf } from "./testing/promises.ts";

const SEED = Number(process.env["NF_MOVING_SEED"] ?? Date.now() % 1_000_000);
const RUNTIMES = 4;
console.log(`seed ${SEED}; NF_MOVING_SEED=${SEED} repeats it`);

/** Random moves between random runtimes, over connections of its own, until it is ended. */
class Turmoil {
  readonly #workers: Promise<void>[];
  readonly #begin = performance.now();
  #going = true;
  moved = 0;
  /** Of flows that did not move. */
  readonly refusals = new Map<string, number>();

  private constructor(clients: ControlClient[], which: (random: Random) => Params<"migrate">["flows"], perSecond: number) {
    this.#workers = clients.map((client, i) => this.#work(client, new Random(SEED + i), which, perSecond));
  }

  static async start(host: LiveHost, which: (random: Random) => Params<"migrate">["flows"], { connections = 4, perSecond = Infinity } = {}): Promise<Turmoil> {
    return new Turmoil(await Promise.all(Array.from({ length: connections }, () => host.connect())), which, perSecond);
  }

  async #work(client: ControlClient, random: Random, which: (random: Random) => Params<"migrate">["flows"], perSecond: number): Promise<void> {
    try {
      while (this.#going) {
        if (this.moved > (perSecond * (performance.now() - this.#begin)) / 1000) {
          await pause(1);
          continue;
        }
        const from = random.below(RUNTIMES);
        const to = (from + 1 + random.below(RUNTIMES - 1)) % RUNTIMES;
        await this.#move(client, { from: 1 + from, to: 1 + to, flows: which(random), dry_run: false });
      }
    } finally {
      client.close();
    }
  }

  async #move(client: ControlClient, params: Params<"migrate">): Promise<void> {
    try {
      const { moved, failed, reason } = await client.call("migrate", params);
      this.moved += moved;
      if (failed > 0) this.refusals.set(reason, (this.refusals.get(reason) ?? 0) + failed);
    } catch (error) {
      // Nothing that matches is there just now.
      if (!(error instanceof NfError) || error.code !== "runtime.no_flow") throw error;
    }
  }

  get words(): string {
    const seconds = (performance.now() - this.#begin) / 1000;
    const refused = [...this.refusals].map(([reason, n]) => `${reason} ${n}`).join(", ");
    return `${this.moved} moves, ${(this.moved / seconds).toFixed(0)} a second, did not move: ${refused || "none"}`;
  }

  async end(): Promise<void> {
    this.#going = false;
    await Promise.all(this.#workers);
    // Two orders for one flow, a flow that ends, or too much under way: no other reason is there.
    expect([...this.refusals.keys()].filter((reason) => !["busy", "no_flow", "cancelled", "timeout"].includes(reason))).toEqual([]);
  }
}

describeAsRoot("while everything moves", () => {
  const labs: { close(): void }[] = [];
  afterEach(() => {
    for (const lab of labs.splice(0)) lab.close();
  });

  test("100 MB by curl, other downloads, short connections and numbered datagrams: right, complete, in order", async () => {
    const lab = new NetworkLab();
    labs.push(lab);
    const www = await lab.startNginx();
    // What waits for flows on their way is bounded by a pool: whatever the machine allows a connection by default, these stay below that together.
    lab.limitWindow(1 << 19);
    const file = randomBytes(100_000_000);
    writeFileSync(join(www, "large"), file);
    const part = file.subarray(0, 20_000_000);
    writeFileSync(join(www, "part"), part);
    const host = await LiveHost.start(lab, "turmoil", ["--chain", "flow_monitor,firewall,http_parser", "--runtimes", String(RUNTIMES)]);
    const numbered = await NumberedFlows.start(lab, { flows: 20, everyMs: 4 });
    const server = `http://${lab.serverAddress}`;
    const large = new HeldDownload(lab, `${server}/large`, { holdAt: 99_000_000, bytesPerSecond: 15e6 });
    const parts = [1, 2, 3].map(() => new HeldDownload(lab, `${server}/part`, { holdAt: 19_000_000, bytesPerSecond: 3e6 }));
    const brief = lab.run("client", "curl", ["-sS", "--max-time", "100", "-H", "Connection: close", "-o", "/dev/null", `${server}/hello?[1-1000]`], 110_000);

    const which = (random: Random): Params<"migrate">["flows"] =>
      random.pick([{ count: 1 + random.below(8) }, { match: [["tcp", "http_parser.requests=1"]] }, { match: [["udp"]] }]);
    const turmoil = await Turmoil.start(host, which, { perSecond: 1000 });
    while (!(large.holds && turmoil.moved >= 3000) && large.runs) await pause(10);
    console.log(turmoil.words);
    // It has more to come; what it ended by tells why it did.
    if (!large.runs) expect(await large.finish(), "the download ended before it was let").toBeUndefined();
    expect(await brief).toMatchObject({ code: 0, stderr: "" });
    for (const one of parts) expect(await one.finish()).toMatchObject({ code: 0, stderr: "", sha256: createHash("sha256").update(part).digest("hex") });
    expect(await large.finish()).toMatchObject({ code: 0, stderr: "", sha256: createHash("sha256").update(file).digest("hex") });
    const { sent, answered, lost, reordered, repeated } = await numbered.end();
    await turmoil.end();

    const [at, to] = [await tcpCounters(lab, "server"), await tcpCounters(lab, "client")];
    const words = `TCP retransmissions: ${at.retransmitted} by the server (${at.needless} of what had arrived), ${to.retransmitted} by the client; segments out of order: ${to.outOfOrder}`;
    console.log(`${words}; ${sent} numbered datagrams there, ${answered} back`);
    const { packets, faults, flows } = await host.stop();
    expect(faults).toEqual([]);
    expect(packets.dropped, `seed ${SEED}`).toEqual({});
    expect({ sent: packets.sent, held: packets.held }).toEqual({ sent: packets.received, held: 0 });
    expect({ lost, reordered, repeated }, `seed ${SEED}`).toEqual({ lost: 0, reordered: 0, repeated: 0 });
    expect([at.wrongChecksums, to.wrongChecksums]).toEqual([0, 0]);
    // One flow each, whose states went along.
    const downloads = flows.filter(({ bytes }) => bytes[1] > 20_000_000);
    expect(downloads).toHaveLength(4);
    for (const { packets: counted, nfs } of downloads) {
      expect(nfs["http_parser"]!["requests"]).toBe(1);
      expect(nfs["flow_monitor"]!["packets"]).toEqual(counted.map(String));
    }
  }, 180_000);

  test("12,000 connections through NAT and load balancer keep their public port and their backend", async () => {
    const [count, rounds, brief] = [2500, 4, 2000];
    const wire = new BalancedLab();
    labs.push(wire);
    await wire.start();
    await wire.joinDirectly();
    const config = join(wire.lab.folder, "nfactor.yaml");
    const flows = { idle_ms: { udp: 300_000 } };
    writeFileSync(config, JSON.stringify({ apiVersion: "nfactor/v1", flows, runtimes: { count: RUNTIMES }, chain: balancedChain(before) }));
    const host = await LiveHost.start(wire.lab, "mappings", ["--config", config]);
    const turmoil = await Turmoil.start(host, (random) => ({ count: 1 + random.below(400) }));
    await wire.openConnections(count, { rounds, brief });
    const connections = await wire.goOn();
    console.log(`${connections.length} connections and flows; ${turmoil.words}`);
    await turmoil.end();
    expect(turmoil.moved).toBeGreaterThan(connections.length);

    const client = await host.connect();
    const listed = [];
    const owners = new Set<number>();
    for (let runtime = 1; runtime <= RUNTIMES; runtime++) {
      for (const protocol of ["tcp", "udp"]) {
        const page = await client.call("flows", { match: [protocol], limit: 10_000, runtime });
        expect(page.more).toBe(false);
        if (page.flows.length > 0) owners.add(runtime);
        listed.push(...page.flows);
      }
    }
    client.close();
    expect(owners.size).toBeGreaterThan(1);
    keepsItsPromises(connections, tableOf(listed), count, { rounds, brief, then: before });
    const { packets, faults } = await host.stop();
    expect(faults).toEqual([]);
    expect(packets.dropped, `seed ${SEED}`).toEqual({});
    expect({ sent: packets.sent, held: packets.held }).toEqual({ sent: packets.received, held: 0 });
    console.log(`datagrams sent again: ${connections.reduce((sum, { resends }) => sum + resends, 0)}`);
  }, 180_000);
});
