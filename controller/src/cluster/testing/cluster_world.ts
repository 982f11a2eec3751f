/** A whole controller over a folder, with hosts that do as they are told. In real time, or with a clock that the test moves. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock } from "@nfactor/host/manual_clock";
import { type Build, admitHere, artifactOf, chunked } from "../../artifacts/testing/artifacts.ts";
import type { NfVersion } from "../../artifacts/index.ts";
import { type Controller, type ControllerOptions, openController } from "../../controller.ts";
import type { Store, Stored } from "../../store/index.ts";
import type { Cluster, DeploymentInput } from "../index.ts";
import { deploymentInputSchema } from "../index.ts";
import { FakeHost, type FakeHostOptions } from "./fake_host.ts";

export interface WorldOptions extends Partial<Omit<ControllerOptions, "clock" | "dateMs" | "folder">> {
  /** Connected from the beginning. */
  readonly hosts?: readonly (string | Omit<FakeHostOptions, "path" | "clock" | "session">)[];
  /** Made from the beginning. */
  readonly tenants?: readonly string[];
  /** Time passes by `advance` alone. */
  readonly manual?: boolean;
}

/** Heartbeats are no matter where minutes pass in a moment. */
const NEVER = { everyMs: 1e12, silenceMs: 2e12 };
const DATE_MS = 1_800_000_000_000;

export class ClusterWorld {
  readonly folder = mkdtempSync(join(tmpdir(), "nf-cluster-"));
  readonly clock: ManualClock | undefined;
  readonly hosts = new Map<string, FakeHost>();
  readonly troubles: string[] = [];
  /** Of the date, which somebody may put forward or back. */
  dateShiftMs = 0;
  readonly #options: WorldOptions;
  #controller: Controller | undefined;

  private constructor(options: WorldOptions) {
    this.#options = options;
    this.clock = options.manual ? new ManualClock() : undefined;
  }

  static async open(options: WorldOptions = {}): Promise<ClusterWorld> {
    const world = new ClusterWorld(options);
    await world.openController();
    for (const tenant of options.tenants ?? ["blue"]) await world.cluster.putTenant(tenant, {}, { by: "test" });
    for (const host of options.hosts ?? ["h1"]) await world.addHost(typeof host === "string" ? { name: host } : host);
    return world;
  }

  get controller(): Controller {
    if (!this.#controller) throw new Error("the controller is not there");
    return this.#controller;
  }

  get cluster(): Cluster {
    return this.controller.cluster;
  }

  host(name = "h1"): FakeHost {
    return this.hosts.get(name)!;
  }

  async openController(store?: Store): Promise<void> {
    const { clock } = this;
    this.#controller = await openController({
      ...{ registry: { admit: admitHere }, onTrouble: (why) => void this.troubles.push(`${why.code}: ${why.message}`) },
      ...this.#options,
      folder: this.folder,
      ...(store ? { store } : {}),
      ...(clock ? { clock, dateMs: () => DATE_MS + this.dateShiftMs + clock.nowMs(), session: { pulse: NEVER } } : {}),
    });
  }

  /** As after its death: nothing of it goes on, and the next one opens what it has left. */
  async closeController(): Promise<void> {
    await this.#controller?.close();
    this.#controller = undefined;
  }

  /** Resolves when the controller knows what it has. */
  async addHost(options: Omit<FakeHostOptions, "path" | "clock" | "session">): Promise<FakeHost> {
    const { clock } = this;
    const host = new FakeHost({ ...options, path: this.controller.unix!, ...(clock ? { clock, session: { pulse: NEVER } } : {}) });
    this.hosts.set(host.name, host);
    host.start();
    await this.until(async () => (await this.cluster.hosts()).some(({ name, connected, info }) => name === host.name && connected && info !== undefined));
    return host;
  }

  async push(build: Build = {}, tenant = "blue"): Promise<Stored<NfVersion>> {
    return (await this.controller.registry.upload({ tenant, uploader: "test", component: chunked(await artifactOf(build)) })).version;
  }

  /** Time passes in steps of a second, with turns for what goes over sockets. */
  async advance(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 1000) {
      this.clock!.advance(Math.min(left, 1000));
      await turns(20);
      // Files are read by other threads, which a busy machine may keep waiting.
      await new Promise((done) => setTimeout(done, 2));
    }
  }

  /** Time passes, when it is the test's, until it is settled. */
  async settle<T>(promise: Promise<T>): Promise<T> {
    let isOver = false;
    const over = (): void => void (isOver = true);
    promise.then(over, over);
    while (!isOver) {
      await turns(20);
      if (!isOver) this.clock?.advance(250);
    }
    return promise;
  }

  /** Turns of the event loop until it is so, with time that passes when it is the test's. */
  async until(isSo: () => boolean | Promise<boolean>, turnsMost = 20_000): Promise<void> {
    for (let turn = 0; turn < turnsMost; turn++) {
      if (await isSo()) return;
      await turns(1);
      if (turn % 50 === 49) this.clock?.advance(100);
      if (!this.clock && turn > 100) await new Promise((done) => setTimeout(done, 5));
    }
    throw new Error(`it did not come to be; troubles: ${this.troubles.join("; ") || "none"}`);
  }

  async close(): Promise<void> {
    for (const host of this.hosts.values()) await host.stop();
    await this.closeController();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((done) => setImmediate(done));
}

/** A deployment of one firewall between c0 and s0, unless `more` says otherwise. */
export function inputOf(more: Record<string, unknown> = {}): DeploymentInput {
  return deploymentInputSchema.parse({
    apiVersion: "nfactor/v1",
    ports: { client: { iface: "c0" }, server: { iface: "s0" } },
    chain: [{ nf: "firewall" }],
    ...more,
  });
}
