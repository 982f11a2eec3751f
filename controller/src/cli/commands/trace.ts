/** `nfactor trace` and `nfactor capture`, of a run on this machine or of a deployment. */
import { EXIT, Sink, matchWords, writeAll } from "@nfactor/host/cli";
import { integer } from "@nfactor/host/plan";
import { plural, safeText } from "@nfactor/host/text";
import { tolerant } from "@nfactor/host/tolerant";
import {
  TRACE_PACKETS_MAX,
  TRACE_SECONDS_MAX,
  type TraceTotals,
  plainPaint,
  terminalPaint,
  totalsText,
  tracePacketJson,
  tracePacketSchema,
  tracePacketText,
  traceTotalsSchema,
} from "@nfactor/host/trace";
import { NfError } from "@nfactor/sdk/errors";
import { withApi } from "../api_command.ts";
import { twoTargetsOf } from "../two_targets.ts";
import { untilInterrupted } from "../wait.ts";
import { without } from "../without.ts";

interface TraceOptions {
  readonly match?: string;
  readonly number: string;
  readonly seconds: string;
}
/** Of a story that is shown. */
const STORIES_MAX = 1000;

const lookOf = ({ match, number, seconds }: TraceOptions, most: number) => ({
  packets: integer("-n", number, 1, most),
  seconds: integer("--seconds", seconds, 1, TRACE_SECONDS_MAX),
  match: matchWords(match),
});

export const traceCommand = twoTargetsOf<TraceOptions>("trace", {
  description:
    "Show what packets meet, hop by hop: the NFs that saw them, their verdicts, what they changed, where a packet was dropped and why, and how long each step took.",
  words: [],
  usage: "",
  after: { min: 0, max: 0 },
  examples: [["nfactor trace blue/web --match 'tcp port 80' -n 3", "of a deployment"]],
  localExamples: [
    ["nfactor trace", "of a run on this machine: the next 10 packets"],
    ["nfactor trace --match 'host 10.0.0.1 and port 53' --seconds 5 --json", "one object a line, and at last the totals"],
  ],
  run: async (name, _, options) => {
    const look = lookOf(options, STORIES_MAX);
    const paint = process.stdout.isTTY && !process.env.NO_COLOR ? terminalPaint : plainPaint;
    await withApi(options, async ({ api, output }) => {
      let [packets, lost] = [0, 0];
      let totals: TraceTotals | undefined;
      output.note(`tracing ${name}; ends after ${plural(look.packets, "packet")}, ${look.seconds} s or Ctrl-C`);
      await untilInterrupted(async (signal) => {
        for await (const item of api.trace(name, look, signal)) {
          if (typeof item === "object" && item !== null && "lost" in item) {
            // The totals have it all.
            if (!("matched" in item)) {
              lost += Number(item.lost);
              continue;
            }
            totals = totalsOf(item as Record<string, unknown>);
            continue;
          }
          const packet = packetOf(item);
          packets += 1;
          writeAll(1, `${output.json ? JSON.stringify(tracePacketJson(packet)) : `${tracePacketText(packet, paint)}\n`}\n`);
        }
      });
      // Of a look that was interrupted only this end is known.
      if (output.json) writeAll(1, `${JSON.stringify({ totals: totals ? { ...totals, lost } : { packets, lost } })}\n`);
      output.note(`${totals ? totalsText(totals) : plural(packets, "packet")}${lost > 0 ? `; ${lost} were lost on the way here` : ""}`);
    });
  },
});

function totalsOf(item: Record<string, unknown>): TraceTotals {
  const parsed = tolerant(traceTotalsSchema).safeParse(without(item, "lost"));
  if (parsed.success) return parsed.data;
  throw new NfError("cli.answer", `a trace's totals are not understood: ${safeText(parsed.error.issues[0]?.message ?? "", 200)}`);
}

/** Frames come as base64. */
function packetOf(item: unknown) {
  const withBytes = JSON.parse(JSON.stringify(item), (key, value: unknown) =>
    key === "frame" && typeof value === "string" ? new Uint8Array(Buffer.from(value, "base64")) : value,
  ) as unknown;
  const parsed = tolerant(tracePacketSchema).safeParse(withBytes);
  if (parsed.success) return parsed.data;
  throw new NfError("cli.answer", `a packet's story is not understood: ${safeText(parsed.error.issues[0]?.message ?? "", 200)}`);
}

interface CaptureOptions extends TraceOptions {
  readonly point: string;
  readonly output: string;
}

export const captureCommand = twoTargetsOf<CaptureOptions>("capture", {
  description:
    "Write packets to a pcapng file, as they are at one point of the chain. The comment of each packet says what became of it: verdicts, drop reason, way out.",
  words: [],
  usage: "",
  after: { min: 0, max: 0 },
  examples: [["nfactor capture blue/web --point client -o client.pcapng -n 1000", "of a deployment"]],
  localExamples: [["nfactor capture --point nat:out --match 'udp port 53' -o - | tshark -r -", "of a run on this machine, while packets come"]],
  run: async (name, _, options) => {
    const look = { ...lookOf(options, TRACE_PACKETS_MAX), point: options.point };
    if (options.output === "-" && options.json === true)
      throw new NfError("usage", "--json and '-o -' exclude each other: both are stdout's", { fix: "Name a file with -o." });
    await withApi(options, async ({ api, output }) => {
      const sinks: Sink[] = [];
      let bytes = 0;
      output.note(`capturing at ${safeText(look.point, 80)} of ${name}; ends after ${plural(look.packets, "packet")}, ${look.seconds} s or Ctrl-C`);
      try {
        await untilInterrupted(async (signal) => {
          for await (const piece of api.capture(name, look, signal)) {
            // Not before the host has taken it: a file that was there stays when the point is wrong.
            if (sinks.length === 0) sinks.push(new Sink(options.output));
            bytes += piece.length;
            if (!sinks[0]!.write(piece)) return;
          }
        });
      } finally {
        sinks[0]?.close();
      }
      if (options.output !== "-") output.result({ file: options.output, point: look.point, bytes }, `${options.output}: ${plural(bytes, "byte")}`);
      if (bytes === 0) process.exitCode = EXIT.failure;
    });
  },
});
