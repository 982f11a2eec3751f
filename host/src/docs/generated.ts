/**
 * What is written from the code of the host: docs/schemas from the zod schemas that check the data; and the text of docs/cli.md from the help of commands,
 * those of the controller included, which writes it. generate.ts writes the files; a test fails when they differ.
 */
import type { Command } from "commander";
import { manifestJsonSchema } from "@nfactor/sdk/manifest";
import { z } from "zod";
import { allCommands } from "../cli/program.ts";
import { EXIT_DOCS } from "../cli/exit_codes.ts";
import * as results from "../cli/results.ts";
import { hostConfigJsonSchema } from "../config/host_config.ts";
import { runResultSchema } from "../result/run_result.ts";

/** Path from the repository's root → content. */
export function generatedDocs(): Map<string, string> {
  const files = new Map<string, string>();
  for (const [name, schema] of schemas()) files.set(`docs/schemas/${name}.schema.json`, `${JSON.stringify(schema, null, 2)}\n`);
  return files;
}

function schemas(): [string, object][] {
  const of = (name: string, title: string, schema: z.ZodType): [string, object] => [name, { $id: `urn:nfactor:schema:${name}`, title, ...z.toJSONSchema(schema) }];
  return [
    ["nf.yaml", manifestJsonSchema()],
    ["nfactor.yaml", hostConfigJsonSchema()],
    of("run", "nfactor run --json, nfactor sim --json", runResultSchema),
    of("init", "nfactor init --json", results.initResultSchema),
    of("build", "nfactor build --json", results.buildResultSchema),
    of("check", "nfactor check --json", results.checkResultSchema),
    of("test", "nfactor test --json", results.testResultSchema),
    of("flows", "nfactor flows --json", results.flowsResultSchema),
    of("swap", "nfactor swap --json", results.swapResultSchema),
    of("runtimes", "nfactor runtimes --json", results.runtimesResultSchema),
    of("runtimes_add", "nfactor runtimes add --json", results.runtimesAddResultSchema),
    of("runtimes_remove", "nfactor runtimes remove --json", results.runtimesRemoveResultSchema),
    of("runtimes_protect", "nfactor runtimes protect --json", results.runtimesProtectResultSchema),
    of("peers", "nfactor peers --json", results.peersResultSchema),
    of("peers_add", "nfactor peers add --json", results.peersAddResultSchema),
    of("peers_remove", "nfactor peers remove --json", results.peersRemoveResultSchema),
    of("migrate", "nfactor migrate --json", results.migrateResultSchema),
    of("drain", "nfactor drain --json", results.drainResultSchema),
    of("undrain", "nfactor undrain --json", results.undrainResultSchema),
    of("agent", "nfactor agent --json", results.agentResultSchema),
    of("recover", "nfactor recover --json", results.recoverResultSchema),
    of("trace", "nfactor trace --json, a line each", results.traceResultSchema),
    of("trace_end", "nfactor trace --json, the last line", results.traceEndSchema),
    of("capture", "nfactor capture --json", results.captureResultSchema),
    of("doctor", "nfactor doctor --json", results.doctorResultSchema),
    of("error", "Any command with --json that fails", results.errorResultSchema),
  ];
}

function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (piece) => (text += piece), getOutHelpWidth: () => 120, getOutHasColors: () => false });
  command.outputHelp();
  return text.trimEnd();
}

export function cliMarkdown(program: Command): string {
  const sections = allCommands(program).map(({ name, command }) => ["", `## nfactor ${name}`, "", "```text", helpOf(command), "```"].join("\n"));
  return `<!-- Generated from host/src/cli and controller/src/cli by \`npm run generate\`. Do not edit. -->
# The nfactor command

Results go to stdout, everything else (progress, the live view, faults, log lines of NFs, errors) to stderr. With \`--json\` stdout gets exactly one
object, whether the command succeeds or not: a failure is an object \`{"error": {…}}\`. Its form is published in [docs/schemas](schemas) where it is of a run on
this machine, and is what the controller's API answers where it is of a deployment. \`-o yaml\` prints the same as YAML. What goes on (\`events --follow\`,
\`top\`, \`trace\`, \`up\`) prints one object a line.

**Which one is meant?** Some commands go to a run on this machine (\`nfactor run\`) or to a deployment of a controller (\`nfactor up\`): it is a deployment when
the first word is one, \`blue/web\`, or when \`--deployment\` names it; also \`web\`, where the context has a tenant as default and the local form has no room for
the word. Everything else goes to the run on this machine.

**Which controller?** The current one of \`nfactor context\`, which \`nfactor up\` makes; \`--context\` and NFACTOR_CONTEXT choose another one, \`--api\` and
NFACTOR_API an address, \`--token-file\` and NFACTOR_TOKEN a token, \`--tenant\` and NFACTOR_TENANT the tenant of names without one.

An NF is named by a path (something with a slash, a \`.wasm\` file, a folder with an \`nf.yaml\`), by its name in \`./nf-wasm\`, or by the name of one that
comes with NFActor. Settings and chain can stand in a file, [nfactor.yaml](schemas/nfactor.yaml.schema.json); flags override it. An NF never gets
more rights than its entry is granted: \`view: payload\` and nothing else, unless the file or \`--grant\` says more.

Every error is one paragraph with a stable code, the place (file, line, column) where there is one, what is allowed and what to do. Output files are
made whole or not at all.

| exit code | means |
|---|---|
${EXIT_DOCS.map(([code, what]) => `| ${code} | ${what} |`).join("\n")}
${sections.join("\n")}
`;
}
