/**
 * An operation of the host that may last: asked for over one connection, watched over others. What is told meanwhile comes from the source's counters,
 * so that a second operation from the same runtime shows up in it too.
 */
import { operationText } from "../result/runtimes_text.ts";
import type { RuntimeJson } from "../result/runtimes_result.ts";
import { count, duration, plural, si } from "../result/text.ts";
import { ControlClient, findHost, withClient } from "../rpc/client.ts";
import type { Params, Result } from "../rpc/protocol.ts";
import { EXIT } from "./exit_codes.ts";
import { Output } from "./output.ts";

/** It ends by itself, or with the host. */
const DEADLINE_MS = 24 * 3600 * 1000;
const TERMINAL_MS = 500;
const LINE_MS = 10_000;

export interface OperationOptions {
  host?: string;
  json?: boolean;
}

/** Runs `migrate` or `drain`, prints its result and sets the exit code. `source` is the runtime that flows leave. */
export async function runOperation<M extends "migrate" | "drain">(
  method: M,
  params: Params<M>,
  source: number,
  what: (result: Result<M>) => string,
  options: OperationOptions,
): Promise<void> {
  const socket = await findHost(options.host);
  const output = new Output(options.json === true);
  const client = await ControlClient.connect(socket);
  const progress = params.dry_run ? undefined : await Progress.start(socket, source, output);
  const interrupted = (): never => {
    progress?.close();
    output.note("The host goes on with it; 'nfactor runtimes' shows how far it is.");
    process.exit(EXIT.interrupted);
  };
  process.once("SIGINT", interrupted);
  try {
    const result: Result<M> = await client.call(method, params, DEADLINE_MS);
    progress?.close();
    output.result(result, operationText(what(result), source, result));
    if (result.failed > 0 || result.undrained) process.exitCode = EXIT.notMoved;
  } finally {
    process.off("SIGINT", interrupted);
    progress?.close();
    client.close();
  }
}

/** `movedBefore` is the source's count when it began. */
export function progressLine({ runtime, moved_out, under_way, flows }: RuntimeJson, movedBefore: number, ms: number): string {
  const moved = moved_out - movedBefore;
  const rate = si(moved / (ms / 1000)).trimEnd();
  return `${plural(moved, "flow")} moved, ${count(under_way)} under way, ${count(flows)} left in runtime ${runtime}, ${rate} flows/s, ${duration(ms * 1e6)}`;
}

/** One line that is written over on a terminal, a line every ten seconds otherwise; nothing in the first half second. */
class Progress {
  readonly #socket: string;
  readonly #source: number;
  readonly #output: Output;
  readonly #terminal = process.stderr.isTTY;
  readonly #startMs = performance.now();
  #movedBefore = 0;
  #shown = false;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;

  private constructor(socket: string, source: number, output: Output) {
    this.#socket = socket;
    this.#source = source;
    this.#output = output;
  }

  static async start(socket: string, source: number, output: Output): Promise<Progress> {
    const progress = new Progress(socket, source, output);
    progress.#movedBefore = (await progress.#read().catch(() => undefined))?.moved_out ?? 0;
    progress.#later();
    return progress;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    if (this.#terminal && this.#shown) this.#output.write("\r\x1b[K");
  }

  #later(): void {
    this.#timer = setTimeout(() => void this.#show(), this.#terminal ? TERMINAL_MS : LINE_MS);
  }

  /** Over a connection of its own each time: the host ends those that are idle, and has room for some only. */
  async #read() {
    const { runtimes } = await withClient(this.#socket, (client) => client.call("runtimes", {}));
    return runtimes.find(({ runtime }) => runtime === this.#source);
  }

  async #show(): Promise<void> {
    // What goes wrong here goes wrong for the operation as well, which says so.
    const status = await this.#read().catch(() => undefined);
    if (this.#closed || !status) return;
    const line = progressLine(status, this.#movedBefore, performance.now() - this.#startMs);
    this.#output.write(this.#terminal ? `\r\x1b[K${line}` : `${line}\n`);
    this.#shown = true;
    this.#later();
  }
}
