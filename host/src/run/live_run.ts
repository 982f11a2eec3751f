/**
 * A live host: a chain between two interfaces, a view of it, and a control socket for the commands that reach it. It runs until a signal
 * asks it to stop; then what is in flight leaves first.
 */
import { type HostConfig, memoryOf } from "../config/host_config.ts";
import type { EntryPlan } from "../config/plan.ts";
import { LiveChain } from "../control/live_chain.ts";
import { LiveRuntimes } from "../control/live_runtimes.ts";
import { LiveTrace } from "../control/live_trace.ts";
import { startAddon } from "../dataplane/addon.ts";
import { AddonDataplane } from "../dataplane/addon_dataplane.ts";
import type { Dataplane } from "../dataplane/dataplane.ts";
import type { RuntimeSpec } from "../dataplane/native_types.ts";
import { reportedError } from "../dataplane/native_error.ts";
import { nfSpec, runtimeSpec } from "../dataplane/runtime_spec.ts";
import { compileNf } from "../nf/compile.ts";
import type { PreparedNf } from "../nf/prepare.ts";
import { packetsJson } from "../result/flow_json.ts";
import { runtimeJson } from "../result/runtimes_result.ts";
import { safeText } from "../result/text.ts";
import { ControlServer } from "../rpc/server.ts";
import { prepareSocketPath } from "../rpc/socket_path.ts";
import { readKey } from "../supervisor/agent_tls.ts";
import { endProcesses, refuseLeftovers } from "../supervisor/leftovers.ts";
import { ProcessDataplane } from "../supervisor/process_dataplane.ts";
import { RunFolder } from "../supervisor/run_folder.ts";
import { Standby } from "../supervisor/standby.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import { FlowList } from "./flow_list.ts";
import { LiveView } from "./live_view.ts";
import { NativeRun } from "./native_run.ts";
import type { RunSummary } from "./result_text.ts";
import { RunEvents } from "./run_events.ts";
import { onLeaveSignal, onStopSignals } from "./signals.ts";

export interface LiveRunOptions {
  settings: HostConfig;
  name: string;
  client: string;
  server: string;
  plans: readonly EntryPlan[];
  /** The chain, made ready while processes that will run it start. Rejects with NfError. */
  prepare: () => Promise<readonly PreparedNf[]>;
  /** Ended flows to keep for the result. */
  flows: number;
  /** Stops by itself after this long. */
  durationMs: number | undefined;
  write(text: string): void;
  columns: (() => number) | undefined;
  quiet: boolean;
}

/** Rejects with NfError when it cannot start, or when a port fails while it runs. */
export async function runLive(options: LiveRunOptions): Promise<RunSummary> {
  const { settings, plans, prepare } = options;
  let run: NativeRun | undefined;
  let server: ControlServer | undefined;
  let trace: LiveTrace | undefined;
  let view: LiveView | undefined;
  let timer: NodeJS.Timeout | undefined;
  let folder: RunFolder | undefined;
  let standby: Standby | undefined;
  let chain: readonly PreparedNf[] | undefined;
  let stopped = false;
  const say = (text: string): void => (view ? view.say(text) : options.write(`${text}\n`));
  const stop = (): void => {
    stopped = true;
    run?.stop(true);
    if (chain) return;
    // Making an NF ready may take as long as it likes, and nothing runs yet.
    standby?.close();
    folder?.release();
    process.exit(130);
  };
  // Whoever is in a hurry leaves no processes behind either.
  let supervisor: Supervisor | undefined;
  const release = onStopSignals(stop, () => (supervisor ? supervisor.endAtOnce() : folder && endProcesses(folder)));
  const eal = { hugepages: settings.memory.hugepages, memoryMb: memoryOf(settings) };
  const agents = (settings.runtimes?.agents ?? []).map(({ key_file, ...agent }) => ({ ...agent, key: readKey(key_file) }));
  let processes: ProcessDataplane | undefined;
  const make = async (spec: RuntimeSpec): Promise<Dataplane> => {
    if (!folder) return AddonDataplane.create(startAddon(eal).addon, spec);
    const onMade = (made: Supervisor): void => void (supervisor = made);
    const { count } = settings.runtimes!;
    // What members and agents say may have a guest's words in it.
    const sayIt = (text: string): void => say(safeText(text, 2000));
    processes = await ProcessDataplane.create({ folder, spec: { eal, runtime: spec, agents }, runtimes: count, standby, say: sayIt, onMade });
    return processes;
  };
  const stay = settings.runtimes?.processes ? onLeaveSignal(() => processes?.leave()) : undefined;
  try {
    const socket = prepareSocketPath(options.name);
    if (settings.runtimes?.processes) {
      folder = RunFolder.hold(options.name);
      const elsewhere = agents.reduce((sum, { runtimes }) => sum + runtimes, 0);
      standby = Standby.ofFirstStart(folder, eal, 1 + settings.runtimes.count - elsewhere);
    } else refuseLeftovers(options.name);
    chain = await prepare();
    const entries = chain.map((nf, i) => ({ plan: plans[i]!, nf }));
    // The layout of an entry's state stays the same over a swap, so the schemas of the start serve for all flows.
    const events = new RunEvents(chain, new FlowList({ which: "last", flows: options.flows }), say);
    const specs = [];
    for (const nf of chain) {
      events.know(nf);
      specs.push(nfSpec(nf, await compileNf(nf.core, nf.digest)));
    }
    const spec = runtimeSpec(
      settings,
      { kind: "af_packet", client: options.client, server: options.server },
      specs,
      options.flows === 0 ? 0 : settings.flows.max,
    );
    run = await NativeRun.create(make(spec), "af_packet", plans, events);
    const { dataplane, runtimes } = run;
    server = await ControlServer.listen(socket, {
      ...new LiveChain({ name: options.name, dataplane, chain: entries, events, say }),
      ...new LiveRuntimes({ dataplane, chain: entries, lastFault: (entry, version) => events.faults.lastOf(entry, version), say }),
      ...(trace = new LiveTrace({ dataplane, chain: entries, say })),
    });
    if (!stopped) await run.start();
    else return { packets: packetsJson(dataplane.counters()), flows: events.flows, faults: [] };
    const title = `${options.name}   ${options.client} > ${chain.map(({ entry }) => entry).join(" > ")} > ${options.server}`;
    if (!options.quiet)
      options.write(`running: ${title}; Ctrl-C stops, 'nfactor swap', 'flows', 'trace'${runtimes ? ", 'runtimes', 'migrate', 'drain'" : ""} reach it\n`);
    const status = runtimes && (() => runtimes.status().map(runtimeJson));
    view = new LiveView({ title, read: () => dataplane.counters(), runtimes: status, write: options.write, columns: options.columns, quiet: options.quiet });
    if (options.durationMs !== undefined) timer = setTimeout(stop, options.durationMs);
    const report = await run.ended();
    view.close();
    view = undefined;
    if (report.error) throw reportedError(report.error);
    if (report.counters.eventsLost > 0n) options.write(`${report.counters.eventsLost} events were lost: more flows ended at once than could be taken\n`);
    return { packets: packetsJson(report.counters), flows: events.flows, faults: events.faults.json(), runtimes: status?.() };
  } finally {
    clearTimeout(timer);
    view?.close();
    await server?.close();
    trace?.close();
    await run?.destroy();
    standby?.close();
    folder?.release();
    stay?.();
    release();
  }
}
