/** A capture through the chain on the native dataplane: file in, file out, and everything counted. */
import { type HostConfig, memoryOf } from "../config/host_config.ts";
import type { EntryPlan } from "../config/plan.ts";
import { startAddon } from "../dataplane/addon.ts";
import { AddonDataplane } from "../dataplane/addon_dataplane.ts";
import { reportedError } from "../dataplane/native_error.ts";
import type { RuntimeInput } from "../dataplane/native_types.ts";
import { nfSpec, runtimeSpec } from "../dataplane/runtime_spec.ts";
import { compileNf } from "../nf/compile.ts";
import type { PreparedNf } from "../nf/prepare.ts";
import { packetsJson } from "../result/flow_json.ts";
import { runtimeJson } from "../result/runtimes_result.ts";
import { FlowList, type Keep } from "./flow_list.ts";
import { NativeRun } from "./native_run.ts";
import type { OutputFile } from "./output_file.ts";
import { Progress } from "./progress.ts";
import type { RunSummary } from "./result_text.ts";
import { RunEvents } from "./run_events.ts";
import { onStopSignals } from "./signals.ts";

/** Flow ends on their way to us; the lcore waits when there are more. */
const EVENT_RING_FLOWS = 4096;

export interface CaptureRunOptions {
  settings: HostConfig;
  plans: readonly EntryPlan[];
  chain: readonly PreparedNf[];
  in: string;
  out: OutputFile | undefined;
  keep: Keep;
  /** Writes to the terminal. */
  write(text: string): void;
  terminal: boolean;
  /** No progress. */
  quiet: boolean;
}

/**
 * Rejects with NfError when the run could not start or ended early; the output file is discarded then. A signal ends it after what is in flight,
 * and the output holds what was processed up to there.
 */
export async function runCapture(options: CaptureRunOptions): Promise<RunSummary & { stopped: boolean }> {
  const { settings, chain, out } = options;
  let run: NativeRun | undefined;
  let progress: Progress | undefined;
  let stopped = false;
  const say = (text: string): void => (progress ? progress.say(text) : options.write(`${text}\n`));
  const events = new RunEvents(chain, new FlowList(options.keep), say);
  const release = onStopSignals(
    () => {
      stopped = true;
      run?.stop(true);
    },
    () => out?.discard(),
  );
  try {
    const specs = [];
    for (const nf of chain) {
      events.know(nf);
      specs.push(nfSpec(nf, await compileNf(nf.core, nf.digest)));
    }
    const { addon } = startAddon({ hugepages: settings.memory.hugepages, memoryMb: memoryOf(settings, true) });
    const input: RuntimeInput = { kind: "capture", in: options.in, ...(out ? { out: out.temporary } : {}), clientCidrs: settings.clients };
    const spec = runtimeSpec(settings, input, specs, EVENT_RING_FLOWS);
    run = await NativeRun.create(AddonDataplane.create(addon, spec), "capture", options.plans, events);
    await run.start();
    if (stopped) run.stop(true);
    const { dataplane } = run;
    if (!options.quiet) progress = new Progress(options.in, () => dataplane.counters(), options.write, options.terminal);
    const report = await run.ended();
    progress?.close();
    progress = undefined;
    if (report.error) throw reportedError(report.error);
    out?.commit();
    const runtimes = run.runtimes?.status().map(runtimeJson);
    return { packets: packetsJson(report.counters), flows: events.flows, faults: events.faults.json(), runtimes, stopped };
  } catch (error) {
    out?.discard();
    throw error;
  } finally {
    progress?.close();
    await run?.destroy();
    release();
  }
}
