/**
 * What a host daemon has on disk, and the next one finds. Only one daemon has the folder at a time.
 *
 *     <state>/identity.json  join.key  agent.key      who it is
 *     <state>/artifacts/<sha256>                      NFs
 *     <state>/deployments/<tenant>.<name>/
 *         order.json      what is to run; written whole, on disk before anything depends on it
 *         nfactor.yaml    made of it, for `nfactor run`
 *         child.json      the process that runs it, as far as is known
 *         child.log       what that has said (the end of it); child.out: what it has ended with
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { NfError } from "@nfactor/sdk/errors";
import { z } from "zod";
import { writeDurably } from "../durable_file.ts";
import { takeLock } from "../process_lock.ts";
import { deploymentName, deploymentSpecSchema } from "./deployment_spec.ts";

const wish = { revision: z.int().min(0), spec: deploymentSpecSchema };
const orderSchema = z.strictObject({
  v: z.literal(1),
  deployment: deploymentName,
  /** What runs, or is to be started. */
  ...wish,
  /** What it is being changed into, entry by entry. */
  next: z.strictObject(wish).optional(),
  /** It is being ended. */
  ending: z.boolean().default(false),
});
export type Order = z.output<typeof orderSchema>;

const childSchema = z.object({ pid: z.int(), start: z.string(), starts: z.int().min(0) });
export type ChildRecord = z.output<typeof childSchema>;

const LOG_BYTES_MAX = 1 << 20;
const LOG_BYTES_KEPT = 256 << 10;

export class StateFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes it, or finds it, and has it until release(). Throws NfError (host.state). */
  static open(given: string): StateFolder {
    const path = resolve(given);
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      const { uid } = statSync(path);
      if (uid !== (process.getuid?.() ?? uid)) throw new Error(`it belongs to user ${uid}`);
      // Keys are in it.
      chmodSync(path, 0o700);
      for (const folder of ["artifacts", "deployments"]) mkdirSync(join(path, folder), { recursive: true, mode: 0o700 });
    } catch (cause) {
      throw new NfError("host.state", `the host's state folder ${path} cannot be used: ${(cause as Error).message}`, {
        cause,
        fix: "Run the command as root, or name a folder of yours with --state.",
      });
    }
    const holder = takeLock(join(path, "lock"));
    if (holder)
      throw new NfError("host.state", `another host daemon (pid ${holder.pid}) has the state folder ${path}`, {
        fix: "End it first, or give this one another folder with --state.",
      });
    return new StateFolder(path);
  }

  release(): void {
    rmSync(join(this.path, "lock"), { force: true });
  }

  get identity(): string {
    return join(this.path, "identity.json");
  }
  /** Of the certificate that is being asked for: the same again when the answer got lost. */
  get joinKey(): string {
    return join(this.path, "join.key");
  }
  get agentKey(): string {
    return join(this.path, "agent.key");
  }
  get artifacts(): string {
    return join(this.path, "artifacts");
  }

  deployment(name: string): DeploymentFolder {
    return new DeploymentFolder(join(this.path, "deployments", name.replace("/", ".")));
  }

  /** All that there are orders for. Who cannot be read is told to `damaged`, and left as it is. */
  orders(damaged: (folder: string, why: string) => void): Order[] {
    return readdirSync(join(this.path, "deployments"))
      .sort()
      .flatMap((name) => {
        const folder = new DeploymentFolder(join(this.path, "deployments", name));
        try {
          const order = folder.readOrder();
          if (order) return [order];
          // It was being made or removed.
          folder.remove();
        } catch (error) {
          damaged(folder.path, (error as Error).message);
        }
        return [];
      });
  }
}

export class DeploymentFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  get runFile(): string {
    return join(this.path, "nfactor.yaml");
  }
  get log(): string {
    return join(this.path, "child.log");
  }
  get output(): string {
    return join(this.path, "child.out");
  }

  make(): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
  }

  remove(): void {
    // First what makes it a deployment.
    rmSync(join(this.path, "order.json"), { force: true });
    rmSync(this.path, { recursive: true, force: true });
  }

  /** Undefined when there is none. Throws when it is damaged. */
  readOrder(): Order | undefined {
    const path = join(this.path, "order.json");
    return existsSync(path) ? orderSchema.parse(JSON.parse(readFileSync(path, "utf8"))) : undefined;
  }

  /** On disk when this returns. Throws NfError (host.state). */
  writeOrder(order: Order): void {
    this.#write(() => {
      this.make();
      writeDurably(join(this.path, "order.json"), JSON.stringify(order));
    });
  }

  writeRunFile(text: string): void {
    this.#write(() => writeFileSync(this.runFile, text, { mode: 0o600 }));
  }

  /** Undefined when nobody knows. */
  readChild(): ChildRecord | undefined {
    try {
      return childSchema.parse(JSON.parse(readFileSync(join(this.path, "child.json"), "utf8")));
    } catch {
      return undefined;
    }
  }

  writeChild(record: ChildRecord): void {
    const path = join(this.path, "child.json");
    this.#write(() => {
      writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    });
  }

  /** The log's end stays; whoever writes to it appends. */
  boundLog(): void {
    try {
      if (statSync(this.log).size <= LOG_BYTES_MAX) return;
      const end = readFileSync(this.log).subarray(-LOG_BYTES_KEPT);
      writeFileSync(this.log, end.subarray(end.indexOf(10) + 1));
    } catch {
      // There is none.
    }
  }

  #write(what: () => void): void {
    try {
      what();
    } catch (cause) {
      throw new NfError("host.state", `nothing can be written to ${this.path}: ${(cause as Error).message}`, { cause, fix: "See whether the disk is full." });
    }
  }
}
