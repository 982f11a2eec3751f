/** Runtimes on the command line. */
import type { Command } from "commander";
import { NfError } from "@nfactor/sdk/errors";

const NUMBER_MAX = 65_535;

/** Whether there is such a runtime is the host's to say. Throws NfError (usage). */
export function runtimeNumber(text: string): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (value <= NUMBER_MAX) return value;
  throw new NfError("usage", `'${text}' is no number of a runtime`, { fix: "'nfactor runtimes' lists them." });
}

/** Of an option with commas, or repeated. */
export const collectNumbers = (value: string, before: string[] = []): string[] => [...before, ...value.split(",")];

export function addHostOption(command: Command): Command {
  return command.option("--host <name>", "the host's name, or the path of its socket, when several run");
}
