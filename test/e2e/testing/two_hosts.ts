/**
 * A tenant on two hosts, in a lab: the wire's, with the vswitch and a runtime, and a far one behind it, with an agent and the other runtime. What both hosts
 * say is kept, for messages of tests that fail.
 */
import { type ChildProcess, execFileSync } from "node:child_process";
import { createCipheriv } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { emptyPcap, pcapRecord, readCapture, writeCapture } from "@nfactor/sdk/capture";
import { LiveHost, NFACTOR } from "../../../scripts/lib/live_host.ts";
import type { NetworkLab } from "../../../scripts/lib/network_lab.ts";

const PORT = 7700;
const MTU = 1700;
const ETHERNET_BYTES = 14;
const HEADER_BYTES = ETHERNET_BYTES + 16;
const TAG_BYTES = 16;
export const AT_LINK = { source: 6, type: 12, version: 14, kind: 15, member: 16, incarnation: 18, counter: 22 } as const;
export const CONTROL = 0x88b5;

export class TwoHosts {
  readonly lab: NetworkLab;
  readonly key: string;
  #agent: ChildProcess | undefined;
  #said = "";
  #captures = 0;

  constructor(lab: NetworkLab) {
    this.lab = lab;
    lab.addFarHost(MTU);
    mkdirSync(this.farFolder, { mode: 0o700 });
    this.key = this.keyFile("agent.key", "ab");
  }

  get farFolder(): string {
    return join(this.lab.folder, "far");
  }
  get address(): string {
    return `${this.lab.farAddress}:${PORT}`;
  }
  get said(): string {
    return this.#said;
  }

  keyFile(name: string, byte: string): string {
    const path = join(this.lab.folder, name);
    writeFileSync(path, `${byte.repeat(32)}\n`, { mode: 0o600 });
    return path;
  }

  /** Resolves when it listens. */
  async startAgent(): Promise<void> {
    const args = ["agent", "--listen", this.address, "--key-file", this.key, "--iface", "between"];
    const agent = this.lab.spawn("far", process.execPath, [NFACTOR, ...args], { env: { ...process.env, XDG_RUNTIME_DIR: this.farFolder } });
    this.#agent = agent;
    for (const stream of [agent.stdout!, agent.stderr!]) stream.on("data", (chunk: Buffer) => (this.#said += chunk.toString()));
    const before = this.#said.length;
    for (let i = 0; i < 300 && agent.exitCode === null && !this.#said.slice(before).includes("listening on"); i++) await pause(50);
    if (!this.#said.slice(before).includes("listening on")) throw new Error(`the agent did not start:\n${this.#said}`);
  }

  async endAgent(signal: NodeJS.Signals): Promise<void> {
    const ended = once(this.#agent!, "exit");
    this.#agent!.kill(signal);
    await ended;
  }

  agentFlag(key = this.key): string {
    return `${this.address},key=${key},iface=between`;
  }

  startHost(name: string, ...more: string[]): Promise<LiveHost> {
    return LiveHost.start(this.lab, name, ["--chain", "flow_monitor,firewall", "--runtimes", "2", "--processes", "--agent", this.agentFlag(), ...more]);
  }

  /** Runs while `what` does; returns the frames that came out of the cable at this end. */
  async capture(end: "wire" | "far", what: () => Promise<void>): Promise<string> {
    const path = join(this.lab.folder, `${end}${++this.#captures}.pcap`);
    const tcpdump = this.lab.spawn(end, "tcpdump", ["-i", "between", "-Q", "in", "-U", "-Z", "root", "-B", "8192", "-w", path]);
    let said = "";
    tcpdump.stderr!.on("data", (chunk: Buffer) => (said += chunk.toString()));
    for (let i = 0; i < 200 && !said.includes("listening on"); i++) await pause(20);
    if (!said.includes("listening on")) throw new Error(`tcpdump did not start: ${said}`);
    await what();
    const ended = once(tcpdump, "exit");
    tcpdump.kill("SIGINT");
    await ended;
    return path;
  }

  /** Puts frames into the cable at this end, each once. */
  async inject(end: "wire" | "far", frames: readonly Uint8Array[]): Promise<void> {
    const path = join(this.lab.folder, `inject${++this.#captures}.pcap`);
    writeCapture(
      path,
      emptyPcap(),
      frames.map((bytes, i) => ({ record: pcapRecord(BigInt(i) * 1_000_000n, bytes), bytes, wireLength: bytes.length })),
    );
    const { code, stderr } = await this.lab.run(end, "tcpreplay", ["-q", "-i", "between", "--pps=2000", path]);
    if (code !== 0) throw new Error(`tcpreplay: ${stderr}`);
  }
}

/** Control frames of a capture that this member has sent to that one. */
export function controlFrames(capture: string, from: number, to: number): Buffer[] {
  const frames = readCapture(capture).records.map(({ bytes }) => Buffer.from(bytes));
  return frames.filter((frame) => frame.readUInt16BE(AT_LINK.type) === CONTROL && frame[AT_LINK.source + 5] === from && frame[5] === to);
}

/** Says that its sender lives, to whoever believes it: as a member would have written it, but with this key. */
export function forgedHeartbeat(like: Buffer, key: Buffer, counter: number): Buffer {
  const frame = Buffer.alloc(HEADER_BYTES + 8 + TAG_BYTES);
  like.copy(frame, 0, 0, HEADER_BYTES);
  frame[AT_LINK.kind] = 3;
  frame.writeUInt32LE(counter, AT_LINK.counter);
  frame.writeUInt16LE(8, HEADER_BYTES - 2);
  const cipher = createCipheriv("aes-256-gcm", key, frame.subarray(AT_LINK.member, HEADER_BYTES - 2)).setAAD(frame.subarray(0, HEADER_BYTES));
  Buffer.concat([cipher.update(Buffer.alloc(8)), cipher.final()]).copy(frame, HEADER_BYTES);
  cipher.getAuthTag().copy(frame, HEADER_BYTES + 8);
  return frame;
}

/** Fields of the frames that the filter lets through, as tshark understands them. */
export function tsharkFields(capture: string, filter: string, names: readonly string[]): string[][] {
  const args = ["-r", capture, "-Y", filter, "-T", "fields", ...names.flatMap((name) => ["-e", name])];
  const text = execFileSync("tshark", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], maxBuffer: 256 << 20, timeout: 60_000 });
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => line.split("\t"));
}
