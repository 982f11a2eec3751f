/** docs/errors.md: every error code, what it means, where it shows, what to do. */
import { exitCodeOf } from "@nfactor/host/exit_codes";
import { ERROR_CODES, type ErrorCode } from "@nfactor/sdk/error_codes";
import { statusOf } from "../rest/error_answer.ts";
import { ERROR_ADVICE } from "./error_advice.ts";

/** In the order of the page. */
const AREAS: Readonly<Record<string, string>> = {
  usage: "Command lines",
  internal: "Faults of NFActor's own",
  cli: "`nfactor` and the controller that it asks",
  rest: "The controller's API",
  cluster: "What a cluster is asked for",
  artifact: "The registry of NFs",
  store: "The controller's store",
  rpc: "Between controller and hosts",
  host: "A host",
  runtime: "Runtimes",
  peer: "Other machines' agents",
  member: "Processes of a deployment",
  swap: "Another version of an NF that runs",
  trace: "Traces and captures of what runs",
  config: "Configurations",
  manifest: "An NF's manifest",
  build: "Building an NF",
  pack: "Packing an NF",
  admission: "Admission",
  nf: "Loading an NF",
  state: "States of flows",
  capture: "Capture files",
  port: "Network interfaces",
  eal: "DPDK",
  native: "The native part",
  doctor: "The machine",
};

/** Found out before a controller is asked, or by one that cannot start: they are no answers of its API. */
const LOCAL: ReadonlySet<string> = new Set(["build", "cli", "doctor", "manifest"]);
const LOCAL_CODES: ReadonlySet<ErrorCode> = new Set([
  ...(["capture.format", "capture.link_type", "capture.read", "capture.truncated", "config.not_found", "host.settings"] as const),
  ...(["rest.listen", "rest.tls", "rpc.join", "rpc.listen", "rpc.unreachable", "rpc.untrusted", "store.locked"] as const),
]);

export function errorsMarkdown(): string {
  const codes = Object.keys(ERROR_CODES) as ErrorCode[];
  const areas = [...new Set(codes.map(areaOf))];
  const order = Object.keys(AREAS);
  const unnamed = areas.find((area) => !order.includes(area));
  if (unnamed !== undefined) throw new Error(`errors_markdown.ts has no heading for the area '${unnamed}'`);
  const sections = order.filter((area) => areas.includes(area)).map((area) => section(area, codes.filter((code) => areaOf(code) === area).sort()));
  return `<!-- Generated from sdk/abi/error_codes.json and controller/src/docs by \`npm run generate\`. Do not edit. -->
# Errors

An error has a code that never changes its meaning, and says what was given, what is allowed and what to do. On the command line it is one paragraph on stderr,
and with \`--json\` an object on stdout; from the API it is the body of an answer, or the last event of a stream:

\`\`\`text
error[artifact.version_taken]: firewall@1.3.0 is there already, with another content.
  Raise 'version' in nf.yaml, and push again.
\`\`\`
\`\`\`json
{ "error": { "code": "artifact.version_taken", "message": "…", "given": "…", "allowed": "…", "fix": "…" } }
\`\`\`

Scripts compare the code, or the exit code, which stands for several ([cli.md](cli.md) lists them); texts may change. \`exit\` is that of the command, \`status\` that of
an answer of the [API](rest.md), where it can be one. What happens without anybody asking (a host that is away, an order that is tried again) is in
\`nfactor events\`, with the same codes.

${order
  .filter((area) => areas.includes(area))
  .map((area) => `[${area}](#${area})`)
  .join(" · ")}
${sections.join("")}`;
}

const areaOf = (code: ErrorCode): string => code.split(".")[0]!;

function section(area: string, codes: readonly ErrorCode[]): string {
  const rows = codes.map((code) => {
    const isLocal = LOCAL.has(area) || LOCAL_CODES.has(code);
    return `| \`${code}\` | ${exitCodeOf(code)} | ${isLocal ? "" : statusOf(code)} | ${cell(ERROR_CODES[code])} | ${cell(ERROR_ADVICE[code])} |`;
  });
  return `\n## ${area}\n${AREAS[area]}.\n\n| code | exit | status | means | what to do |\n|---|---|---|---|---|\n${rows.join("\n")}\n`;
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");
