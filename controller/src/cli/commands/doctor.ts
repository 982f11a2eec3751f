/** `nfactor doctor`: what this machine needs, and whether the controller of the context answers, lets us in, and has its hosts. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { Command } from "commander";
import { EXIT, ROOT, examples, writeAll } from "@nfactor/host/cli";
import { plural, safeText } from "@nfactor/host/text";
import { NfError } from "@nfactor/sdk/errors";
import { type ApiOptions, addApiOptions, withApi } from "../api_command.ts";
import { contextPath, readContexts } from "../context_file.ts";
import { hostState, troublesOf } from "../views/cluster_text.ts";

interface Row {
  readonly name: string;
  readonly state: "ok" | "missing" | "advice";
  readonly found: string;
  readonly wanted: string;
  readonly fix: string;
}
interface DoctorOptions extends ApiOptions {
  readonly local?: boolean;
}
const ANSWER_S = "5";

export function doctorCommand(): Command {
  const command = new Command("doctor")
    .description(
      "Say what this machine needs for NFActor, and whether the controller answers, takes the token, and has its hosts: what was found, what is wanted, what mends it.",
    )
    .option("--local", "only this machine");
  return addApiOptions(command)
    .addHelpText(
      "after",
      examples(["nfactor doctor", ""], ["nfactor doctor --local", "without asking a controller"], ["nfactor doctor --json", "the same as one object"]),
    )
    .action(run);
}

async function run(options: DoctorOptions): Promise<void> {
  const json = options.json === true;
  const { status, error, stdout } = spawnSync(process.execPath, [join(ROOT, "scripts/doctor.mjs"), ...(json ? ["--json"] : [])], {
    stdio: ["ignore", json ? "pipe" : "inherit", "inherit"],
    encoding: "utf8",
  });
  if (error) throw new NfError("internal", `the check could not be started: ${error.message}`, { cause: error });
  const rows = options.local ? [] : await controllerRows(options);
  const isOk = status === 0 && rows.every(({ state }) => state !== "missing");
  if (json) {
    const machine = JSON.parse(stdout) as { requirements: Row[] };
    const { Output } = await import("@nfactor/host/cli");
    new Output(true).result({ ok: isOk, requirements: [...machine.requirements, ...rows] }, "");
  } else if (rows.length > 0) writeAll(1, `\n${rows.map(rowText).join("\n")}\n`);
  process.exitCode = isOk ? EXIT.ok : EXIT.failure;
}

const MARKS = { ok: "ok     ", missing: "MISSING", advice: "advice " } as const;
function rowText({ name, state, found, wanted, fix }: Row): string {
  const more = state === "ok" ? "" : `\n         wanted: ${wanted}${fix === "" ? "" : `; fix: ${fix}`}`;
  return `${MARKS[state]}  ${safeText(name, 80)}  ${safeText(found, 400)}${more}`;
}

/** Each question is asked only when the one before has a good answer. */
async function controllerRows(options: DoctorOptions): Promise<Row[]> {
  const rows: Row[] = [];
  const isGiven = options.api !== undefined || options.context !== undefined || Boolean(process.env.NFACTOR_API);
  try {
    if (!isGiven && Object.keys(readContexts().contexts).length === 0)
      return [{ name: "controller", state: "advice", found: "none is known", wanted: "one, to run deployments", fix: "nfactor up" }];
    rows.push({ name: "contexts", state: "ok", found: contextPath(), wanted: "this user's alone", fix: "" });
    await withApi({ ...options, timeout: options.timeout ?? ANSWER_S }, async ({ api, chosen }) => {
      rows.push({
        name: "token",
        state: chosen.token === undefined ? "missing" : "ok",
        found: chosen.token === undefined ? "none" : "there",
        wanted: "one",
        fix: "nfactor context set",
      });
      const health = await api.health();
      const where = `${api.address} answers${health.ok ? "" : `, and is not well: store ${health.store ?? "unknown"}`}`;
      rows.push({ name: "controller", state: health.ok ? "ok" : "missing", found: where, wanted: "well", fix: "see what 'nfactor up' says" });
      const { label, scope, tenant } = await api.whoAmI();
      rows.push({
        name: "token is taken",
        state: "ok",
        found: `'${label}' may ${scope}, ${tenant === undefined ? "of all tenants" : `of tenant ${tenant}`}`,
        wanted: "yes",
        fix: "",
      });
      const deployments = await api.deployments();
      // Hosts belong to no tenant.
      const hosts = tenant === undefined ? await api.hosts() : [];
      if (hosts.length === 0 && tenant === undefined)
        rows.push({ name: "hosts", state: "missing", found: "none", wanted: "one at least", fix: "nfactor hosts token <name>" });
      for (const host of hosts)
        rows.push({
          name: `host ${host.name}`,
          state: host.connected ? "ok" : "missing",
          found: `${hostState(host)}, ${host.leased ? "its lease holds" : "its lease has ended"}`,
          wanted: "connected, with a lease",
          fix: "is 'nfactor host' running there, and is the controller reached from there?",
        });
      const troubles = troublesOf(deployments, []);
      rows.push({
        name: "deployments",
        state: troubles.length === 0 ? "ok" : "missing",
        found: troubles.length === 0 ? plural(deployments.length, "deployment") : troubles.join("; "),
        wanted: "all of them run",
        fix: "nfactor status",
      });
    });
  } catch (error) {
    if (!(error instanceof NfError)) throw error;
    rows.push({ name: "controller", state: "missing", found: `${error.code}: ${error.message}`, wanted: "an answer", fix: error.fix ?? "nfactor up" });
  }
  return rows;
}
