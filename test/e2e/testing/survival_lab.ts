/**
 * A lab in which a tenant's processes are killed under traffic, and what can be said of it from outside: kernels at both ends of the wire count the frames
 * that they send and get, so that the host's books are compared with somebody else's.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { FlowJson, RunResult } from "../../../host/src/result/run_result.ts";
import { LiveHost } from "../../../scripts/lib/live_host.ts";
import { BACKEND_PORTS, BalancedLab, CLIENTS, PUBLIC, balancedChain, before, isOffered } from "./balanced_lab.ts";
import { NO_FRAMES, framesAt } from "../../../scripts/lib/kernel_counts.ts";
import { Members, balance, sum } from "./members.ts";
import { tableOf } from "./promises.ts";
import type { StreamEnd } from "./streams.ts";

export interface SurvivalOptions {
  name: string;
  runtimes: number;
  replicas?: number;
  mode?: "hold" | "relay";
  unprotected?: "strict" | "available";
  flowsMax?: number;
  /** Before nat44 and load_balancer. */
  observers?: readonly string[];
  /** Of each process, MiB. */
  memory?: number;
}

const SETTLE_MS = 1500;
const FLOWS_PAGE = 10_000;

export class SurvivalLab {
  readonly wire = new BalancedLab();
  host!: LiveHost;
  members!: Members;
  #args: string[] = [];
  #first = NO_FRAMES;
  #begun = NO_FRAMES;

  /** Ends everything, also after a failure. */
  close(): void {
    this.wire.close();
  }

  async start(options: SurvivalOptions): Promise<void> {
    const { name, runtimes, replicas = 1, mode = "hold", unprotected = "strict", flowsMax = 8192, observers = [], memory = 256 } = options;
    await this.wire.addAddresses();
    await this.wire.joinDirectly();
    this.wire.lab.silence();
    const config = join(this.wire.lab.folder, "nfactor.yaml");
    const settings = {
      // What has ended is looked at when the last one has, which may take a loaded machine long.
      flows: { max: flowsMax, idle_ms: { udp: 300_000, tcp_closing: 120_000 } },
      runtimes: { count: runtimes, processes: true, replication: { replicas, mode, unprotected } },
      memory: { megabytes: memory },
      chain: [...observers.map((nf) => ({ nf })), ...balancedChain(before)],
    };
    writeFileSync(config, JSON.stringify({ apiVersion: "nfactor/v1", ...settings }));
    this.#args = ["--config", config];
    this.#first = await framesAt(this.wire.lab);
    this.host = await LiveHost.start(this.wire.lab, name, this.#args);
    this.members = new Members(this.host);
    this.#begun = await framesAt(this.wire.lab);
  }

  /** kill -9 of the supervisor, and another one. */
  async replaceSupervisor(meanwhile: () => Promise<void>): Promise<void> {
    const { name, pid } = this.host;
    process.kill(pid, "SIGKILL");
    await meanwhile();
    this.host = await LiveHost.start(this.wire.lab, name, this.#args);
    this.members = new Members(this.host);
  }

  /**
   * Ends the host when its traffic has ended, and compares. What the ends have sent it has taken, but for what `missed` says; what it has sent they have got.
   * With `takes` false (nobody took anything for a while, and no one knows what) it has taken that or less.
   */
  async stop({ takes = true }: { takes?: boolean } = {}): Promise<RunResult> {
    await pause(SETTLE_MS);
    const last = await framesAt(this.wire.lab);
    const result = await this.host.stop();
    const end = await framesAt(this.wire.lab);
    const { packets, faults } = result;
    assert.deepEqual(faults, []);
    assert.equal(packets.held, 0);
    assert.equal(balance(packets), 0, booksOf(result));
    const [least, most] = [last.sent - this.#begun.sent, end.sent - this.#first.sent];
    const received = packets.received + (packets.missed ?? 0);
    assert.ok(received <= most, `the host has received ${received} frames, of ${most} that were sent to it`);
    if (takes) assert.ok(received >= least, `the host has received ${received} frames, of ${least} at least that were sent to it`);
    const got = end.got - this.#first.got + end.lostToEnds;
    const most_got = packets.sent + (packets.maybe_sent ?? 0);
    assert.ok(packets.sent <= got && got <= most_got, `the ends have got ${got} frames, and the host has sent ${packets.sent} to ${most_got}`);
    return result;
  }
}

export function booksOf({ packets }: RunResult): string {
  const { received, sent, dropped, missed = 0, lost_in_failure = 0, maybe_sent = 0 } = packets;
  const maybe = maybe_sent > 0 ? ` (of which ${maybe_sent} may have left)` : "";
  return `received ${received} = sent ${sent} + dropped ${sum(dropped)} ${JSON.stringify(dropped)} + lost in failure ${lost_in_failure}${maybe}; missed ${missed}`;
}

/** Those of the clients. */
export async function flowsOf(lab: SurvivalLab, protocol: "tcp" | "udp"): Promise<FlowJson[]> {
  const flows = [];
  for (const address of CLIENTS) flows.push(...(await lab.members.flows(FLOWS_PAGE, protocol, address)).flows);
  return flows;
}

/** All connections have ended well, were always the same to the backend that they began with, and are in the table so. */
export async function assertKept(lab: SurvivalLab, ends: readonly StreamEnd[]): Promise<void> {
  const broken = ends.filter(({ error, changed }) => error !== undefined || changed > 0);
  assert.deepEqual(broken.slice(0, 5), [], `${broken.length} connections broke, or changed their backend or public port`);
  assert.equal(new Set(ends.map(({ peer, backend }) => `${peer} > ${backend}`)).size, ends.length);
  const offered = before.filter(isOffered).map(({ address }) => `${address}:${BACKEND_PORTS.tcp}`);
  for (const { peer, backend } of ends) assert.ok(peer.startsWith(`${PUBLIC}:`) && offered.includes(backend), `${peer} > ${backend}`);
  const flows = await flowsOf(lab, "tcp");
  const table = tableOf(flows);
  const moved = ends.filter(({ client, peer, backend }) => {
    const entry = table.get(`tcp ${client}`);
    return entry?.public !== peer || entry.backend !== backend;
  });
  assert.deepEqual(moved.slice(0, 5), [], `of ${moved.length} connections the state of their flow says other things`);
  const parsed = new Map(flows.flatMap(({ key, nfs }) => (nfs["http_parser"] ? [[`${key.initiator.address}:${key.initiator.port}`, nfs["http_parser"]]] : [])));
  if (parsed.size === 0) return;
  const miscounted = ends.filter(({ client, requests }) => parsed.get(client)?.["requests"] !== requests);
  assert.deepEqual(miscounted.slice(0, 5), [], `of ${miscounted.length} connections http_parser has seen more or fewer requests than were sent`);
}
