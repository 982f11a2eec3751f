/** `nfactor capture`: packets of a running host as they are at one point of its chain, as a pcapng file. */
import { closeSync, openSync, writeSync } from "node:fs";
import { Command } from "commander";
import { NfError } from "@nfactor/sdk/errors";
import { integer } from "../../config/plan.ts";
import { findHost, withClient } from "../../rpc/client.ts";
import { followCapture } from "../../trace/follow.ts";
import { TRACE_PACKETS_MAX, TRACE_SECONDS_MAX, type TraceTotals } from "../../trace/packet.ts";
import { plural } from "../../result/text.ts";
import { examples } from "../help.ts";
import { Output } from "../output.ts";
import type { CaptureResultJson } from "../results.ts";
import { addHostOption } from "../runtime_options.ts";
import { type TraceOptions, addTraceOptions, matchWords, untilInterrupted } from "../trace_options.ts";
import { totalsText } from "../../trace/text.ts";

interface CaptureOptions extends TraceOptions {
  point: string;
  output: string;
}

export function captureCommand(): Command {
  const command = new Command("capture").description(
    "Write packets of a running host to a pcapng file, as they are at one point of its chain. The comment of each packet says what became of it: verdicts, drop reason, way out.",
  );
  return addHostOption(addTraceOptions(command, "write"))
    .requiredOption("--point <point>", "client or server: as they come in and go out there; fw:in, fw:out: before and behind the chain's entry fw")
    .requiredOption("-o, --output <file>", "the file, which is written as packets come; - is stdout")
    .addHelpText(
      "after",
      examples(
        ["nfactor capture --point client -o client.pcapng -n 1000", ""],
        ["nfactor capture --point nat:out --match 'udp port 53' -o - | tshark -r -", "while they come"],
        ["nfactor capture --point fw:in --match 'net 10.0.0.0/8' -o drops.pcapng", "also what the firewall drops, with its reason"],
      ),
    )
    .action(async (options: CaptureOptions) => {
      const packets = integer("-n", options.number, 1, TRACE_PACKETS_MAX);
      const seconds = integer("--seconds", options.seconds, 1, TRACE_SECONDS_MAX);
      const match = matchWords(options.match);
      if (options.output === "-" && options.json === true)
        throw new NfError("usage", "--json and '-o -' exclude each other: both are stdout's", { fix: "Name a file with -o." });
      const output = new Output(options.json === true);
      let totals: TraceTotals = { packets: 0, matched: 0, missed: 0, lost_hops: 0 };
      await withClient(await findHost(options.host), (client) =>
        untilInterrupted(async (signal) => {
          const onBegin = (): void => output.note(`capturing at ${options.point}; ends after ${plural(packets, "packet")}, ${seconds} s or Ctrl-C`);
          const onTotals = (known: TraceTotals): void => void (totals = known);
          let file: Sink | undefined;
          try {
            const params = { match, packets, seconds, point: options.point };
            for await (const bytes of followCapture(client, params, { signal, onBegin, onTotals })) {
              // Not before the host has taken it: a file that was there stays when the point is wrong.
              file ??= new Sink(options.output);
              if (!file.write(bytes)) return;
            }
          } finally {
            file?.close();
          }
        }),
      );
      const result: CaptureResultJson = { file: options.output, point: options.point, ...totals };
      if (options.output !== "-") output.result(result, `${options.output}: ${totalsText(totals)}`);
      else output.note(totalsText(totals));
    });
}

/** A file that is as long as what was written to it, or stdout. */
export class Sink {
  readonly #path: string;
  readonly #file: number;

  /** Throws NfError (capture.write). */
  constructor(path: string) {
    this.#path = path;
    this.#file = path === "-" ? 1 : this.#try(() => openSync(path, "w", 0o600));
  }

  /** False: nobody reads any more. Throws NfError (capture.write). */
  write(bytes: Uint8Array): boolean {
    return this.#try(() => {
      for (let at = 0; at < bytes.length;) {
        try {
          at += writeSync(this.#file, bytes, at);
        } catch (error) {
          const { code } = error as NodeJS.ErrnoException;
          if (code === "EPIPE" && this.#path === "-") return false;
          if (code !== "EAGAIN") throw error;
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
        }
      }
      return true;
    });
  }

  close(): void {
    if (this.#path !== "-") closeSync(this.#file);
  }

  #try<T>(what: () => T): T {
    try {
      return what();
    } catch (cause) {
      throw new NfError("capture.write", `the capture cannot be written (${cause instanceof Error ? cause.message : String(cause)})`, {
        cause,
        where: { file: this.#path },
      });
    }
  }
}
