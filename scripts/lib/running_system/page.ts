/** docs/running_system.md: the figure, and an example of each request between controller and hosts. */
import { HOST_METHODS, type RpcLine } from "@nfactor/host/session";
import { count } from "@nfactor/host/text";
import { ABOUT, CONTRACT, type MethodName } from "./contract.ts";
import type { Example } from "./examples.ts";
import { type Facts, figure, processTable } from "./figure.ts";
import type { Sums } from "./scene.ts";

export const PAGE = "docs/running_system.md";

export interface PageInput {
  readonly facts: Facts;
  readonly examples: readonly Example[];
  /** Until a runtime was killed, and from then on. */
  readonly traffic: readonly [Sums, Sums];
  readonly streams: { readonly seconds: number; readonly requests: number; readonly bytes: number };
}

export function page({ facts, examples, traffic, streams }: PageInput): string {
  const { deployment } = facts;
  const chain = deployment.wanted.spec.chain.map(({ nf }) => `${nf.name} ${nf.version}`).join(" → ");
  return `<!-- Made by \`node --import ./sdk/register.mjs scripts/running_system.ts\`, as root, from a cluster that it starts. Do not edit. -->
# A running system

What follows was read from a cluster while it worked: two hosts (network namespaces with a cable between them), one deployment, \`${deployment.name}\` (${chain}), with
replicas, and ${facts.deployment.runtimes!.runtimes[0]!.flows} flows of live traffic through it. Numbers of processes, flows and bytes are those of that run; make the page again with

\`\`\`sh
node --import ./sdk/register.mjs scripts/running_system.ts    # as root; two minutes
\`\`\`

It is the paper's figure of the architecture, with these differences. **One** virtual switch has the ports of both sides, since it also finds the owner of what comes back when NFs have
changed addresses. Runtimes on another machine are kept by an agent there. A **supervisor** on the host, not the controller, says which process lives: a runtime that dies is noticed and its
flows go on in milliseconds, and the controller may be away for days. So \`recover\` is what somebody does by hand. The controller is in no packet's way: it talks to host daemons, and
these to supervisors.

\`\`\`mermaid
${figure(facts)}
\`\`\`

Thick lines carry packets, and what members say to each other: the three requests by which a flow moves, replicas, their acknowledgements. They go between source, target and switch, without
the controller ([protocol.md](protocol.md)). Dotted lines: who starts and watches whom.

${processTable(facts)}

## What controller and hosts ask of each other
Frames of MessagePack over one connection for each host: a Unix socket on the controller's machine, TLS 1.3 with certificates of both sides elsewhere
([ADR 0022](adr/0022-controller-and-hosts.md)). Both sides ask and answer. The table of methods is [host_methods.ts](../host/src/session/host_methods.ts).

Each example was captured while it happened, with \`nfactor up --rpc-log <file>\`, which writes such lines for anybody who wants to know: what was asked, the answer, bytes of both frames,
and the time from the one to the other as the controller saw it. Keys, tokens, certificates and configurations are left out by the log; "…" says where this page leaves out more.
In the ${Math.round(streams.seconds)} s of this run there were ${streams.requests} requests, ${Math.round(streams.bytes / 1024)} KiB of them and their answers.

| request | asked by | the paper calls it | about |
|---|---|---|---|
${examples.map(row).join("\n")}
${examples.map(section).join("\n")}

## The traffic meanwhile
${traffic.map(sumsText).join("\n")}
`;
}

function sumsText({ sent, lost, reordered, repeated }: Sums, i: number): string {
  const when = i === 0 ? "Until `recover`" : "From then on";
  const why = i > 0 && lost > 0 ? ", which were in the process that it kills" : "";
  return `- ${when}: ${count(sent)} packets went to the server and their answers came back; ${count(lost)} lost${why}, ${count(reordered)} out of order, ${count(repeated)} twice.`;
}

const wayOf = (method: MethodName): string => (method in HOST_METHODS ? "controller → host" : "host → controller");

const row = ({ method }: Example): string => `| [\`${method}\`](#${method}) | ${wayOf(method)} | ${ABOUT[method].paper ?? ""} | ${ABOUT[method].what} |`;

function section({ method, line, begun, command }: Example): string {
  const by = command === undefined ? `Asked by ${ABOUT[method].system}.` : `Asked by \`${command}\`.`;
  const way = `${line.from} → ${line.to}`;
  const { keyed } = CONTRACT[method].kind === "call" ? (CONTRACT[method] as { keyed: boolean }) : { keyed: false };
  const blocks = [
    `request   ${way}, ${line.request_bytes} bytes${keyed ? ", under an idempotency key" : ""}`,
    excerpt(line.request),
    ...(begun ? [`\nitem      the first of ${line.items ?? "many"}, ${begun.item_bytes} bytes, after ${time(begun)}`, excerpt(begun.item)] : []),
    ...(line.answer === undefined ? [] : [`\nanswer    ${line.answer_bytes} bytes, after ${time(line)}`, excerpt(line.answer)]),
  ];
  return `\n### ${method}\n${sentence(ABOUT[method].what)} ${by}\n\n\`\`\`text\n${blocks.join("\n")}\n\`\`\``;
}

const sentence = (text: string): string => `${text[0]!.toUpperCase()}${text.slice(1)}.`;

const time = ({ duration_ms = 0 }: RpcLine): string => (duration_ms < 10 ? `${duration_ms.toFixed(1)} ms` : `${Math.round(duration_ms)} ms`);

const WIDTH = 150;
const ITEMS = 2;
const FIELDS = 32;
/** A list that is not longer than this is shown whole. */
const LIST_WIDTH = 1200;

/** As JSON; what is long is cut, where it says so. */
export function excerpt(value: unknown): string {
  return printed(cut(value), 0);
}

function cut(value: unknown): unknown {
  if (typeof value === "string") return /^[0-9a-f]{64}$/.test(value) ? `${value.slice(0, 12)}…` : value;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const all = value.map(cut);
    // Of runtimes: the switch, and one that is none.
    return all.length <= ITEMS || spaced(all).length <= LIST_WIDTH ? all : [...all.slice(0, ITEMS), more(all.length - ITEMS)];
  }
  const fields = Object.entries(value).map(([name, field]) => [name, cut(field)] as const);
  return Object.fromEntries(fields.length > FIELDS ? [...fields.slice(0, FIELDS), ["…", more(fields.length - FIELDS)]] : fields);
}

const more = (left: number): string => `… ${left} more`;

/** On as few lines as are readable. */
function printed(value: unknown, depth: number): string {
  const flat = spaced(value);
  const indent = "  ".repeat(depth + 1);
  if (typeof value !== "object" || value === null || flat.length + indent.length <= WIDTH) return flat;
  const parts = Array.isArray(value)
    ? value.map((one) => printed(one, depth + 1))
    : Object.entries(value).map(([name, field]) => `${JSON.stringify(name)}: ${printed(field, depth + 1)}`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return `${open}\n${filled(parts, indent)}\n${"  ".repeat(depth)}${close}`;
}

/** Short parts one behind the other, long ones on lines of their own. */
function filled(parts: readonly string[], indent: string): string {
  const lines: string[] = [];
  let line = "";
  const isLong = (part: string): boolean => part.includes("\n") || part.length > WIDTH / 2;
  parts.forEach((part, i) => {
    const text = i < parts.length - 1 ? `${part},` : part;
    const fits = line !== "" && !isLong(part) && indent.length + line.length + 1 + text.length <= WIDTH;
    if (!fits && line !== "") lines.push(line);
    line = fits ? `${line} ${text}` : text;
    if (!isLong(part)) return;
    lines.push(line);
    line = "";
  });
  if (line !== "") lines.push(line);
  return lines.map((one) => indent + one).join("\n");
}

function spaced(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spaced).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).map(([name, field]) => `${JSON.stringify(name)}: ${spaced(field)}`);
  return fields.length === 0 ? "{}" : `{ ${fields.join(", ")} }`;
}
