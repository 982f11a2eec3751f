/** Options that `run` and `sim` share, so that one line of flags can be tried in the simulator and then run for real. */
import { type Command, Option } from "commander";
import { NfError } from "@nfactor/sdk/errors";
import type { ChainFlags } from "../config/plan.ts";
import { integer } from "../config/plan.ts";

export interface ChainCommandOptions extends ChainFlags {
  in?: string;
  out?: string;
  flows?: string;
  json?: boolean;
  quiet?: boolean;
}

/** Flows that are printed for people. */
export const SHOWN_FLOWS = 20;

export const collect = (value: string, before: string[] = []): string[] => [...before, value];

export function addChainOptions(command: Command): Command {
  return command
    .option("-c, --chain <nfs>", "the NFs from client to server, with commas between them; <entry>=<nf> names an entry")
    .option("--config <file>", "settings and chain from a file; flags override it (default: ./nfactor.yaml when there is no --chain)")
    .addOption(new Option("--nf-config <entry=file>", "configuration of one NF from a YAML or JSON file; may be repeated").argParser(collect))
    .addOption(
      new Option("--grant <entry[=rights]>", "what an NF may do, like nat=edit:headers; without rights: all it asks for; may be repeated").argParser(collect),
    )
    .addOption(new Option("--lease <entry=size>", "size of an NF's pool of leased values; may be repeated").argParser(collect))
    .option("--in <file>", "capture to read: pcap or pcapng")
    .option("--out <file>", "capture to write what leaves the chain to; made whole or not at all")
    .addOption(new Option("--client <cidr>", "addresses of the client side in a capture; may be repeated").argParser(collect))
    .option("--non-ip <policy>", "forward (default) or drop what is not IP")
    .option("--max-flows <n>", "flows at once (default 65536)")
    .option("--seed <n>", "seed of the NFs' random numbers (default 0)")
    .option("--flows <n>", "flows in the result at most");
}

/** Number of flows wanted in the result; undefined: the command's default. */
export function flowsWanted(options: ChainCommandOptions): number | undefined {
  return options.flows === undefined ? undefined : integer("--flows", options.flows);
}

/** JSON has all flows of a capture, the terminal the first few. */
export function keepOf(flows: number | undefined, json: boolean): { which: "all" } | { which: "first"; flows: number } {
  return flows === undefined && json ? { which: "all" } : { which: "first", flows: flows ?? SHOWN_FLOWS };
}

/** Throws NfError (usage) when a flag is there that has no meaning without a capture, or without a live host. */
export function refuseFlags(given: Record<string, unknown>, names: readonly string[], why: string): void {
  const wrong = names.find((name) => given[name] !== undefined);
  if (wrong === undefined) return;
  const flag = `--${wrong.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  throw new NfError("usage", `${flag} ${why}`);
}
