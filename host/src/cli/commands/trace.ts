/** `nfactor trace`: what packets of a running host meet on their way, hop by hop. */
import { Command } from "commander";
import { integer } from "../../config/plan.ts";
import { plural } from "../../result/text.ts";
import { findHost, withClient } from "../../rpc/client.ts";
import { followTrace } from "../../trace/follow.ts";
import { plainPaint, terminalPaint, totalsText, tracePacketJson, tracePacketText } from "../../trace/text.ts";
import { TRACE_SECONDS_MAX, type TraceTotals } from "../../trace/packet.ts";
import { examples } from "../help.ts";
import { Output, writeAll } from "../output.ts";
import { addHostOption } from "../runtime_options.ts";
import { type TraceOptions, addTraceOptions, matchWords, untilInterrupted } from "../trace_options.ts";

const PACKETS_MAX = 1000;

export function traceCommand(): Command {
  const command = new Command("trace").description(
    "Show what packets of a running host meet, hop by hop: the NFs that saw them, their verdicts, what they changed, where a packet was dropped and why, and how long each step took.",
  );
  return addHostOption(addTraceOptions(command, "show"))
    .addHelpText(
      "after",
      examples(
        ["nfactor trace", "the next 10 packets"],
        ["nfactor trace --match 'tcp port 80' -n 3", ""],
        ["nfactor trace --match 'host 10.0.0.1 and port 53' --seconds 5 --json", "one object a line, and at last the totals"],
      ),
    )
    .action(async (options: TraceOptions) => {
      const packets = integer("-n", options.number, 1, PACKETS_MAX);
      const seconds = integer("--seconds", options.seconds, 1, TRACE_SECONDS_MAX);
      const match = matchWords(options.match);
      const output = new Output(options.json === true);
      const paint = process.stdout.isTTY && !process.env.NO_COLOR ? terminalPaint : plainPaint;
      let totals: TraceTotals | undefined;
      await withClient(await findHost(options.host), (client) =>
        untilInterrupted(async (signal) => {
          const onBegin = (): void => output.note(`tracing; ends after ${plural(packets, "packet")}, ${seconds} s or Ctrl-C`);
          const onTotals = (known: TraceTotals): void => void (totals = known);
          for await (const packet of followTrace(client, { match, packets, seconds }, { signal, onBegin, onTotals }))
            writeAll(1, `${output.json ? JSON.stringify(tracePacketJson(packet)) : `${tracePacketText(packet, paint)}\n`}\n`);
        }),
      );
      if (!totals) return;
      if (output.json) writeAll(1, `${JSON.stringify({ totals })}\n`);
      output.note(totalsText(totals));
    });
}
