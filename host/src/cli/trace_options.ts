/** What `trace` and `capture` have in common. */
import type { Command } from "commander";
import { traceFilter } from "../trace/filter.ts";

export interface TraceOptions {
  match?: string;
  number: string;
  seconds: string;
  host?: string;
  json?: boolean;
}

export function addTraceOptions(command: Command, what: string): Command {
  return command
    .option("--match <words>", "only packets that all words fit, in either direction: tcp, host 10.0.0.1, net 10.0.0.0/8, port 80, 10.0.0.1:80")
    .option("-n, --number <n>", `packets to ${what} at most`, "10")
    .option("--seconds <s>", "end after this time at the latest", "30");
}

/** Throws NfError (usage). */
export function matchWords(text: string | undefined): string[] {
  const words = (text ?? "").split(/\s+/).filter((word) => word !== "");
  traceFilter(words);
  return words;
}

/** The first Ctrl-C, SIGTERM or SIGHUP asks it to end with what there is; a second one ends the command. */
export async function untilInterrupted<T>(what: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const end = new AbortController();
  const stop = (): void => end.abort();
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.once(signal, stop);
  try {
    return await what(end.signal);
  } finally {
    for (const signal of signals) process.off(signal, stop);
  }
}
