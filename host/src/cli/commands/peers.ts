/** `nfactor peers`: the other machines' agents at which a running host may place runtimes. */
import { Command } from "commander";
import { NfError } from "@nfactor/sdk/errors";
import { nearest } from "@nfactor/sdk/manifest";
import { type PeerConfig, peerSchema } from "../../config/peer.ts";
import { plural, table } from "../../result/text.ts";
import { type ControlClient, findHost, withClient } from "../../rpc/client.ts";
import type { Result } from "../../rpc/protocol.ts";
import { readKey } from "../../supervisor/agent_tls.ts";
import { examples } from "../help.ts";
import { Output } from "../output.ts";
import { addHostOption } from "../runtime_options.ts";

interface PeersOptions {
  host?: string;
  json?: boolean;
  address: string;
  keyFile: string;
  iface: string;
}

export function peersCommand(): Command {
  return addHostOption(new Command("peers"))
    .description("Show at which agents of other machines a running host (--processes) may place runtimes, and which are there.")
    .usage("[options] [command]")
    .enablePositionalOptions()
    .argument("[command]")
    .addHelpText("after", examples(["nfactor peers", ""], ["nfactor peers --json", ""]))
    .addCommand(addCommand())
    .addCommand(removeCommand())
    .action(async (word: string | undefined, options: PeersOptions) => {
      if (word !== undefined) {
        const meant = nearest(word, ["add", "remove"]);
        throw new NfError("usage", `peers: '${word}' is no command of it`, {
          allowed: "add, remove, or nothing",
          fix: meant === undefined ? undefined : `Did you mean '${meant}'?`,
        });
      }
      const result = await withClient(await findHost(options.host), (client) => client.call("peers", {}));
      new Output(options.json === true).result(result, peersTable(result.peers));
    });
}

function addCommand(): Command {
  return addHostOption(new Command("add"))
    .description("Let a running host place runtimes at another machine's agent: 'nfactor runtimes add --at'. It is connected to only while runtimes are there.")
    .argument("<name>", "how it is called from now on; one that is there already gets the new address and key")
    .requiredOption("--address <address>", "where 'nfactor agent' listens there: <address>:<port>")
    .requiredOption("--key-file <file>", "file with the key that the agent has too")
    .requiredOption("--iface <name>", "interface of the host's machine that leads there")
    .addHelpText("after", examples(["nfactor peers add rack2 --address 10.9.0.2:7700 --key-file agent.key --iface l0", ""]))
    .action(async (name: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<PeersOptions>();
      const { address, keyFile, iface } = options;
      const peer = peerSchema.safeParse({ name, address, iface });
      if (!peer.success) throw new NfError("usage", peer.error.issues[0]!.message, { given: [name, address, iface].join(", ") });
      const key = readKey(keyFile).toString("hex");
      const result = await change(options, (peers) => [...peers.filter((one) => one.name !== name), { ...peer.data, key }]);
      new Output(options.json === true).result(result, `the host may place runtimes at ${name} (${address}): 'nfactor runtimes add --at ${name}'`);
    });
}

function removeCommand(): Command {
  return addHostOption(new Command("remove"))
    .description("Let a running host place no more runtimes there. Refused while it has some: drain and remove these first.")
    .argument("<name>", "the peer's name")
    .addHelpText("after", examples(["nfactor peers remove rack2", ""]))
    .action(async (name: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<PeersOptions>();
      const result = await change(options, (peers) => {
        const names = peers.map((one) => one.name);
        if (!names.includes(name)) throw new NfError("peer.unknown", `there is no peer '${name}'`, { given: name, allowed: names.join(", ") || undefined });
        return peers.filter((one) => one.name !== name);
      });
      new Output(options.json === true).result(result, `${name} is no peer any more; ${plural(result.peers, "peer")} left`);
    });
}

/** Keys are not told, and stay what they are. */
async function change({ host }: PeersOptions, next: (peers: readonly PeerConfig[]) => PeerConfig[]): Promise<Result<"configure_peers">> {
  return withClient(await findHost(host), async (client: ControlClient) => {
    const { peers } = await client.call("peers", {});
    const now = peers.flatMap(({ name, address, iface }) => (name === undefined ? [] : [{ name, address, iface }]));
    return client.call("configure_peers", { peers: next(now) });
  });
}

function peersTable(peers: Result<"peers">["peers"]): string {
  if (peers.length === 0) return "no peers: 'nfactor peers add' adds one";
  const rows = peers.map(({ name = "", address, iface, runtimes, reachable }) => [
    ...[name, address, iface, runtimes.join(", ")],
    reachable === undefined ? "" : reachable ? "reachable" : "unreachable",
  ]);
  return table([["peer", "agent", "interface", "runtimes", ""], ...rows], []);
}
