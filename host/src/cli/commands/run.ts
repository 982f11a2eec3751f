/** `nfactor run`: a chain on the native dataplane, over a capture or live between two interfaces. */
import { Command, Option } from "commander";
import { NfError } from "@nfactor/sdk/errors";
import { type Plan, integer, makePlan } from "../../config/plan.ts";
import { CONFIG_FILE } from "../../config/host_config.ts";
import { OutputFile } from "../../run/output_file.ts";
import { inputFile } from "../../run/input_file.ts";
import { type LivePort, checkPorts } from "../../run/ports.ts";
import { checkName } from "../../rpc/socket_path.ts";
import { type ChainCommandOptions, SHOWN_FLOWS, addChainOptions, collect, flowsWanted, keepOf, refuseFlags } from "../chain_options.ts";
import { examples } from "../help.ts";
import { writeAll } from "../output.ts";
import { UnwaitedOutput } from "../unwaited_output.ts";
import { printSummary } from "../run_output.ts";

/** Ended flows that a live host keeps for its result. */
const LIVE_FLOWS = 10_000;

interface RunOptions extends ChainCommandOptions {
  clientIface?: string;
  serverIface?: string;
  name?: string;
  duration?: string;
  memory?: string;
  hugepages: boolean;
}

export function runCommand(): Command {
  return addChainOptions(new Command("run"))
    .description("Run a chain of NFs: a capture through it (--in), or live between two interfaces (--client-iface, --server-iface).")
    .option("--client-iface <name>", "interface of the client side")
    .option("--server-iface <name>", "interface of the server side")
    .option("--name <name>", "name of the live host, for the commands that reach it (default: <client>-<server>)")
    .option("--duration <seconds>", "stop the live host after this long")
    .option("--runtimes <n>", "switched mode: n runtimes (1 to 15) behind a virtual switch, between which flows can move")
    .option("--lcores <n>", "threads for them (default: one each and one for the switch, but not more than there are CPUs)")
    .option("--placement <policy>", "who gets a new flow: round_robin (default) or least_loaded")
    .option("--migrations <n>", "flows of one runtime on their way at once (default 1000)")
    .option("--replicas <n>", "1: another runtime has each flow's state before what the flow causes leaves, and takes over when its own dies (default 0)")
    .option("--replication <mode>", "hold (default): output waits in the flow's runtime until the replica has its state; relay: the replica sends it")
    .option("--unprotected <policy>", "output while there is no other runtime: strict (default) waits, available leaves")
    .option("--processes", "the switch and each runtime in a process of its own; one that dies is started again while the others go on")
    .addOption(
      new Option(
        "--agent <agent>",
        "some of the runtimes are on another machine: <address>:<port>,key=<file>,iface=<this machine's, towards it>,runtimes=<n, 1 by default>; may be repeated",
      ).argParser(collect),
    )
    .option("--memory <MiB>", "memory for packets and tables (default 256; 512 with replicas in one process; of each process)")
    .option("--no-hugepages", "use ordinary memory even where there are hugepages")
    .option("-q, --quiet", "no progress and no live view, only messages")
    .addHelpText(
      "after",
      examples(
        ["nfactor run --chain flow_monitor,firewall,http_parser --in real.pcap --out out.pcap --json", ""],
        ["nfactor run --chain fw=firewall --nf-config fw=rules.yaml --client-iface c0 --server-iface s0", "live, with the firewall's rules from a file"],
        ["nfactor run --chain nat44 --grant nat44 --lease nat44=1000 --in a.pcap --client 10.0.0.0/8", "an NF that edits frames must be granted that"],
        ["nfactor run --chain flow_monitor,firewall --runtimes 4 --client-iface c0 --server-iface s0", "four runtimes; see 'nfactor runtimes'"],
        ["nfactor run --chain flow_monitor,firewall --runtimes 4 --processes --client-iface c0 --server-iface s0", "the same in five processes"],
        [
          "nfactor run --chain flow_monitor,firewall --runtimes 4 --processes --replicas 1 --client-iface c0 --server-iface s0",
          "flows go on, with their state, when a process dies",
        ],
        [
          "nfactor run --chain firewall --runtimes 2 --processes --agent 10.9.0.2:7700,key=agent.key,iface=l0 --client-iface c0 --server-iface s0",
          "one of the two runtimes is on another machine",
        ],
        ["nfactor run --config nfactor.yaml", "ports, chain, grants and configuration from a file"],
      ),
    )
    .action(run);
}

async function run(options: RunOptions): Promise<void> {
  const plan = makePlan(options);
  withMemory(plan, options);
  const flows = flowsWanted(options);
  const terminal = process.stderr.isTTY;
  const common = { settings: plan.settings, quiet: options.quiet === true };
  if (options.in !== undefined) {
    refuseFlags({ ...options }, ["clientIface", "serverIface", "name", "duration", "processes", "agent"], "has no meaning with --in: a capture is not live");
    const path = inputFile(options.in);
    const out = options.out === undefined ? undefined : OutputFile.prepare(options.out, path);
    const write = (text: string): void => writeAll(2, text);
    const note = (text: string): void => write(`${text}\n`);
    try {
      const { prepareChain } = await import("../../nf/chain.ts");
      const chain = await prepareChain(plan.entries, note);
      const { runCapture } = await import("../../run/capture_run.ts");
      const keep = keepOf(flows, options.json === true);
      const summary = await runCapture({ ...common, write, plans: plan.entries, chain, in: path, out, keep, terminal });
      if (summary.stopped) note("stopped early: the result is that of the packets up to there");
      printSummary(summary, options.json === true, options.out);
    } catch (error) {
      out?.discard();
      throw error;
    }
    return;
  }
  refuseFlags({ ...options }, ["out", "client"], "needs a capture to read (--in)");
  const { client, server } = livePorts(plan, options);
  const name = hostName(plan, options, client.iface, server.iface);
  const durationMs = options.duration === undefined ? undefined : 1000 * integer("--duration", options.duration, 1, 10_000_000);
  checkPorts(client, server);
  const { runLive } = await import("../../run/live_run.ts");
  // Whoever reads it may stop: what runs is looked after all the same.
  const said = new UnwaitedOutput(2);
  const write = (text: string): void => said.write(text);
  const summary = await runLive({
    ...{ ...common, write, name },
    client: client.iface,
    server: server.iface,
    plans: plan.entries,
    prepare: async () => {
      const { prepareChain } = await import("../../nf/chain.ts");
      return prepareChain(plan.entries, (text) => write(`${text}\n`));
    },
    flows: flows ?? (options.json ? LIVE_FLOWS : SHOWN_FLOWS),
    durationMs,
    columns: terminal ? () => process.stderr.columns : undefined,
  }).finally(() => said.end());
  printSummary(summary, options.json === true, undefined);
}

function withMemory({ settings }: Plan, { memory, hugepages }: RunOptions): void {
  settings.memory = { ...settings.memory };
  if (memory !== undefined) settings.memory.megabytes = integer("--memory", memory, 64, 1 << 20);
  if (!hugepages) settings.memory.hugepages = "never";
}

function livePorts({ settings, located }: Plan, { clientIface, serverIface }: RunOptions): { client: LivePort; server: LivePort } {
  const port = (side: "client" | "server", flag: string | undefined): LivePort | undefined => {
    if (flag !== undefined) return { iface: flag, where: undefined };
    const configured = settings.ports?.[side];
    return configured && { iface: configured.iface, where: located?.where(["ports", side, "iface"]) };
  };
  const [client, server] = [port("client", clientIface), port("server", serverIface)];
  if (client && server) return { client, server };
  const given = client ? "--server-iface" : server ? "--client-iface" : undefined;
  throw new NfError("usage", given ? `${given} is missing: a live host sits between two interfaces` : "there is nothing to run the chain on", {
    fix: `Give a capture with --in, or two interfaces with --client-iface and --server-iface (in ${CONFIG_FILE}: ports).`,
  });
}

function hostName({ settings }: Plan, { name }: RunOptions, client: string, server: string): string {
  const given = name ?? settings.name;
  if (given !== undefined) {
    checkName(given);
    return given;
  }
  const fromPorts = `${client}-${server}`;
  return /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(fromPorts) ? fromPorts : `nfactor-${process.pid}`;
}
