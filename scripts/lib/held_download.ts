/**
 * A download by curl that cannot end before it is let, however long what happens meanwhile takes: what is not taken from curl's pipe holds curl back, and
 * then the server.
 */
import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { NetworkLab } from "./network_lab.ts";

const TICK_MS = 5;

export interface HeldDownloadOptions {
  /** Bytes after which it waits. */
  holdAt: number;
  /** At most; without, as fast as it goes. */
  bytesPerSecond?: number;
}

export interface Downloaded {
  code: number;
  stderr: string;
  bytes: number;
  sha256: string;
}

export class HeldDownload {
  readonly #curl: ChildProcess;
  readonly #hash = createHash("sha256");
  readonly #ended: Promise<unknown[]>;
  readonly #holdAt: number;
  readonly #rate: number;
  readonly #begin = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #take = (): void => this.#takeSome();
  #stderr = "";
  #taken = 0;

  constructor(lab: NetworkLab, url: string, { holdAt, bytesPerSecond = Infinity }: HeldDownloadOptions) {
    this.#holdAt = holdAt;
    this.#rate = bytesPerSecond;
    this.#curl = lab.spawn("client", "curl", ["-sS", "--max-time", "300", url]);
    this.#curl.stderr!.on("data", (chunk: Buffer) => (this.#stderr += chunk.toString()));
    this.#curl.stdout!.on("readable", this.#take);
    this.#ended = once(this.#curl, "close");
    this.#timer = setInterval(this.#take, TICK_MS);
  }

  #takeSome(): void {
    const allowed = Math.min(this.#holdAt, ((performance.now() - this.#begin) / 1000) * this.#rate) - this.#taken;
    const stream = this.#curl.stdout!;
    let left = Math.min(Math.floor(allowed), stream.readableLength);
    // In pieces: a stream of which more is read at once than it means to hold means to hold twice as much from then on, in the end all that is left.
    for (let piece; left > 0; left -= piece) {
      piece = Math.min(left, stream.readableHighWaterMark);
      this.#add(stream.read(piece) as Buffer);
    }
  }

  #add(chunk: Buffer): void {
    this.#taken += chunk.length;
    this.#hash.update(chunk);
  }

  get taken(): number {
    return this.#taken;
  }
  /** Everything was taken that may be before it is let. */
  get holds(): boolean {
    return this.#taken === this.#holdAt;
  }
  get runs(): boolean {
    return this.#curl.exitCode === null;
  }

  /** Packets that have reached curl's host so far: what is between there and curl, in buffers, hides how long nothing came. */
  get packets(): number {
    const interfaces = readFileSync(`/proc/${this.#curl.pid}/net/dev`, "utf8").split("\n").slice(2);
    return interfaces.map((line) => line.trim().split(/[\s:]+/)).reduce((sum, [name, , packets]) => sum + (name === "lo" ? 0 : Number(packets ?? 0)), 0);
  }

  /** Resolves when it has begun. */
  async begun(): Promise<void> {
    while (this.#taken === 0 && this.runs) await new Promise((done) => setTimeout(done, TICK_MS));
  }

  /** Lets it go on to its end. */
  async finish(): Promise<Downloaded> {
    clearInterval(this.#timer);
    this.#curl.stdout!.off("readable", this.#take);
    this.#curl.stdout!.on("data", (chunk: Buffer) => this.#add(chunk));
    this.#curl.stdout!.resume();
    const [code] = (await this.#ended) as [number | null];
    return { code: code ?? 1, stderr: this.#stderr, bytes: this.#taken, sha256: this.#hash.digest("hex") };
  }
}
