/**
 * The agent of a machine: starts, watches and ends runtimes there for supervisors on others, who show that they have its key. It decides nothing. When a
 * supervisor is gone, or the agent itself, the runtimes go on.
 */
import { existsSync, readdirSync } from "node:fs";
import type { Server } from "node:net";
import { dirname } from "node:path";
import type { TLSSocket } from "node:tls";
import { NfError } from "@nfactor/sdk/errors";
import type { Endpoint } from "../config/endpoint.ts";
import { safeText } from "../result/text.ts";
import { AGENT_VERSION, HELLO_BYTES_MAX, type Hello, helloSchema, versionSchema } from "../supervisor/agent_messages.ts";
import { HANDSHAKE_MS, listenTls, readLine } from "../supervisor/agent_tls.ts";
import { findMembers } from "../supervisor/member_process.ts";
import { RunFolder } from "../supervisor/run_folder.ts";
import { Tenancy, problemOf } from "./tenancy.ts";

/** Of all tenants: one for orders and one for each runtime. */
const CONNECTIONS_MAX = 256;
const TENANTS_MAX = 16;
/** Of whoever is not let in, so much is said and no more. */
const REFUSED_SAID_MS = 1_000;

export interface AgentOptions {
  listen: Endpoint;
  key: Buffer;
  /** Of this machine, for the runtimes' links. */
  iface: string;
  say(text: string): void;
}

export class Agent {
  readonly #options: AgentOptions;
  readonly #tenants = new Map<string, Tenancy>();
  #server: Server | undefined;
  #saidMs = -REFUSED_SAID_MS;

  private constructor(options: AgentOptions) {
    this.#options = options;
  }

  /** Rejects with NfError (host.socket). */
  static async start(options: AgentOptions): Promise<Agent> {
    const made = new Agent(options);
    for (const host of leftHosts()) made.#tenantOf(host);
    made.#server = await listenTls(
      options.listen,
      options.key,
      (socket) => void made.#welcome(socket),
      (from, why) => made.#refused(from, why),
    );
    made.#server.maxConnections = CONNECTIONS_MAX;
    return made;
  }

  /** The runtimes go on, and the next agent takes them over. How messages name them. */
  leave(): string[] {
    this.#server?.close();
    return [...this.#tenants.values()].flatMap((tenant) => tenant.leave());
  }

  async #welcome(socket: TLSSocket): Promise<void> {
    try {
      const hello = understand(await readLine(socket, "the other side", HANDSHAKE_MS));
      const tenant = this.#tenantOf(hello.host);
      const greeting = await tenant.begin(hello, socket);
      socket.write(`${JSON.stringify({ ok: greeting })}\n`);
      if (hello.for === "orders") socket.resume();
      if (hello.for !== "file" || !("send" in greeting) || greeting.send !== true) return;
      await tenant.takeFile(hello, socket);
      socket.write(`${JSON.stringify({ ok: {} })}\n`);
    } catch (error) {
      socket.end(`${JSON.stringify({ error: problemOf(error) })}\n`);
    }
  }

  #tenantOf(host: string): Tenancy {
    let tenant = this.#tenants.get(host);
    if (!tenant) {
      for (const [name, one] of this.#tenants) {
        if (this.#tenants.size < TENANTS_MAX || !one.isIdle) continue;
        one.leave();
        this.#tenants.delete(name);
      }
      if (this.#tenants.size >= TENANTS_MAX) throw new NfError("runtime.limit", `there are ${TENANTS_MAX} tenants here, which is all`);
      tenant = new Tenancy(host, this.#options.iface, this.#options.say);
      this.#tenants.set(host, tenant);
    }
    return tenant;
  }

  #refused(from: string, why: string): void {
    if (performance.now() - this.#saidMs < REFUSED_SAID_MS) return;
    this.#saidMs = performance.now();
    this.#options.say(`${from} was not let in: ${why}`);
  }
}

/** Throws NfError (host.socket). */
function understand(line: string): Hello {
  let json: unknown;
  try {
    json = JSON.parse(line.slice(0, HELLO_BYTES_MAX));
  } catch {
    json = undefined;
  }
  const version = versionSchema.safeParse(json);
  if (version.success && version.data.v !== AGENT_VERSION)
    throw new NfError("host.socket", `this agent speaks version ${AGENT_VERSION}, not ${version.data.v}`, { fix: "Run the same NFActor on both machines." });
  const hello = helloSchema.safeParse(json);
  if (hello.success) return hello.data;
  throw new NfError("host.socket", `what comes first is not understood: ${safeText(line, 100)}`);
}

/** Hosts whose runtimes an earlier agent has left at work. */
function leftHosts(): string[] {
  const folder = dirname(RunFolder.pathOf("x"));
  if (!existsSync(folder)) return [];
  const hosts = readdirSync(folder).flatMap((file) => /^(.+)\.agent$/.exec(file)?.[1] ?? []);
  return hosts.filter((host) => findMembers(RunFolder.pathOf(host, process.env, "agent")).length > 0);
}
