/**
 * A capture through the chain in the simulator: the same flags, result and files as on the dataplane, without any native part. It runs on the main
 * thread from start to end; Ctrl-C ends the process, and no file is left because the output is written last.
 */
import { statSync } from "node:fs";
import { NfError } from "@nfactor/sdk/errors";
import { type Capture, readCapture, writeCapture } from "@nfactor/sdk/capture";
import { type InputPacket, type SimulationReport, StartError, simulate } from "@nfactor/sdk/simulator";
import type { EntryPlan } from "../config/plan.ts";
import type { HostConfig } from "../config/host_config.ts";
import { explainStart } from "../nf/config_refusal.ts";
import type { PreparedNf } from "../nf/prepare.ts";
import { flowJson, packetsJson } from "../result/flow_json.ts";
import { count, duration } from "../result/text.ts";
import { FlowList, type Keep } from "./flow_list.ts";
import type { OutputFile } from "./output_file.ts";
import type { RunSummary } from "./result_text.ts";
import { RunEvents } from "./run_events.ts";

/** The simulator keeps the whole file and its output in memory. */
const FILE_BYTES_MAX = 2 ** 30;
const PROGRESS_MS = 2000;

export interface SimRunOptions {
  settings: HostConfig;
  plans: readonly EntryPlan[];
  chain: readonly PreparedNf[];
  in: string;
  out: OutputFile | undefined;
  keep: Keep;
  write(text: string): void;
  quiet: boolean;
}

/** Throws NfError when the capture or an NF cannot be used; there is no output file then. */
export function runSimulation(options: SimRunOptions): RunSummary {
  const { settings, plans, chain, out } = options;
  const { size } = statSync(options.in);
  if (size > FILE_BYTES_MAX)
    throw new NfError("capture.read", `${options.in} has ${count(size)} bytes, too many for the simulator`, {
      allowed: `at most ${count(FILE_BYTES_MAX)}`,
      fix: "Use 'nfactor run'.",
    });
  const capture = readCapture(options.in);
  const { tcp, tcp_opening, tcp_closing, udp, icmp, other } = settings.flows.idle_ms;
  const events = new RunEvents(chain, new FlowList(options.keep), (text) => options.write(`${text}\n`));
  for (const nf of chain) events.know(nf);
  const report = started(plans, () =>
    simulate(
      {
        chain,
        flows: { max: settings.flows.max, idleMs: { tcp, tcpOpening: tcp_opening, tcpClosing: tcp_closing, udp, icmp, other } },
        nonIp: settings.non_ip,
        seed: settings.seed,
        clientCidrs: settings.clients,
      },
      packetsOf(capture, options),
    ),
  );
  for (const event of report.events) events.take(event);
  for (const flow of report.flows) events.flows.add(flow.flowId, () => flowJson(flow, chain));
  if (out) {
    const frames = report.output.map(({ index, bytes, wireLength }) => ({ record: capture.records[index]!, bytes, wireLength }));
    writeCapture(out.path, capture, frames);
  }
  return { packets: packetsJson(report.counters), flows: events.flows, faults: events.faults.json() };
}

function started(plans: readonly EntryPlan[], run: () => SimulationReport): SimulationReport {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    throw explainStart(new NfError(error.code, [error.message, ...error.lines].join("\n"), { cause: error }), plans);
  }
}

function* packetsOf({ records }: Capture, { quiet, write }: SimRunOptions): Generator<InputPacket> {
  const startMs = performance.now();
  let next = startMs + PROGRESS_MS;
  for (const [i, { timestampNs, bytes, wireLength }] of records.entries()) {
    if (!quiet && i % 1024 === 0 && performance.now() > next) {
      next = performance.now() + PROGRESS_MS;
      write(`${count(i)} of ${count(records.length)} packets, ${duration((performance.now() - startMs) * 1e6)}\n`);
    }
    yield { timestampNs, bytes, wireLength };
  }
}
