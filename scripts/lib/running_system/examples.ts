/** One example of each request of the contract, out of a log of requests. */
import type { RpcLine } from "@nfactor/host/session";
import { ABOUT, CONTRACT, type MethodName, ORDER } from "./contract.ts";
import type { Command } from "./scene.ts";

export interface Example {
  readonly method: MethodName;
  readonly line: RpcLine;
  /** Of a stream: how it began. */
  readonly begun?: RpcLine | undefined;
  /** The command that asked for it; else the system did. */
  readonly command?: string | undefined;
}

/** Throws when there is none of a method. */
export function examplesOf(lines: readonly RpcLine[], commands: readonly Command[]): Example[] {
  return ORDER.map((method) => {
    const command = commands.findLast(({ shows }) => shows.includes(method));
    const isStream = CONTRACT[method].kind === "stream";
    const own = lines.filter((line) => line.method === method && line.error === undefined && (!command || isDuring(line, command)));
    const begun = isStream ? own.findLast(({ event }) => event === "begun") : undefined;
    // One that lasts as long as its session has only begun.
    const line = isStream ? (own.findLast(({ event }) => event === "ended") ?? begun) : bestOf(own.filter(({ event }) => event === "answered"));
    if (!line) throw new Error(`nobody has asked for ${method}${command ? ` during '${command.words}'` : ""}, or it failed`);
    if (!command && ABOUT[method].system === undefined) throw new Error(`no command shows ${method}, and contract.ts does not say when the system asks for it`);
    return { method, line, begun, command: ABOUT[method].system === undefined ? command?.words : undefined };
  });
}

/** The command's own comes last: what is tried before (a dry run) is not it. What is said again and again is shown where it says most. */
function bestOf(lines: readonly RpcLine[]): RpcLine | undefined {
  const wished = lines.filter(({ request }) => (request as { dry_run?: boolean } | undefined)?.dry_run !== true);
  if (lines[0]?.method !== "deployments") return wished.at(-1);
  return [...wished].sort((a, b) => (a.answer_bytes ?? 0) - (b.answer_bytes ?? 0)).at(-1);
}

function isDuring({ at, duration_ms = 0 }: RpcLine, { fromMs, toMs }: Command): boolean {
  const endMs = Date.parse(at);
  return endMs - duration_ms >= fromMs - 1 && endMs <= toMs + 1;
}
