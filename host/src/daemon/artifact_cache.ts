/** NFs that the host has, by digest. What is read is what the digest says, or it is fetched anew. */
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { NfError } from "@nfactor/sdk/errors";
import { writeDurably } from "../durable_file.ts";

export class ArtifactCache {
  readonly #folder: string;
  readonly #fetch: (digest: string, signal: AbortSignal) => Promise<Uint8Array>;

  /** `fetch`: from the controller, the right one or none. */
  constructor(folder: string, fetch: (digest: string, signal: AbortSignal) => Promise<Uint8Array>) {
    this.#folder = folder;
    this.#fetch = fetch;
  }

  pathOf(digest: string): string {
    return join(this.#folder, digest);
  }

  /** Rejects with what the controller says, the signal's reason, or NfError (host.state). */
  async read(digest: string, signal: AbortSignal): Promise<Uint8Array> {
    const here = this.#find(digest);
    if (here) return here;
    const bytes = await this.#fetch(digest, signal);
    try {
      writeDurably(this.pathOf(digest), bytes);
    } catch (cause) {
      throw new NfError("host.state", `an artifact cannot be written to ${this.#folder}: ${(cause as Error).message}`, {
        cause,
        fix: "See whether the disk is full.",
      });
    }
    return bytes;
  }

  /** They are all here when this resolves. */
  async require(digests: Iterable<string>, signal: AbortSignal): Promise<void> {
    for (const digest of new Set(digests)) await this.read(digest, signal);
  }

  /** All others go. Returns how many. */
  collect(named: ReadonlySet<string>): number {
    const others = readdirSync(this.#folder).filter((file) => !named.has(file));
    for (const file of others) rmSync(join(this.#folder, file), { force: true });
    return others.length;
  }

  #find(digest: string): Uint8Array | undefined {
    let bytes: Uint8Array;
    try {
      bytes = readFileSync(this.pathOf(digest));
    } catch {
      return undefined;
    }
    return createHash("sha256").update(bytes).digest("hex") === digest ? bytes : undefined;
  }
}
