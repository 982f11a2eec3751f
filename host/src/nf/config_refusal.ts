/**
 * What an NF says against its configuration, as an error at the place in the operator's file.
 *
 * The SDK's configError writes log lines of the form `config <path>: <code>: <text>`; whoever ran `configure` hands them over. They are a guest's
 * text: the code is believed only if it is one of the configuration's, the path only finds a place, the text is shown as harmless text.
 */
import { ERROR_CODES, type ErrorCode } from "@nfactor/sdk/error_codes";
import { NfError } from "@nfactor/sdk/errors";
import type { Path } from "@nfactor/sdk/manifest";
import type { EntryPlan } from "../config/plan.ts";
import { safeText } from "../result/text.ts";

const LINE = /^config ([^:]*): ([a-z_.]+): (.*)$/s;

/** `rules[3].ports` → ["rules", 3, "ports"]; what is no path ends it. */
export function parsePath(text: string): Path {
  const parts: (string | number)[] = [];
  for (const [, name, index] of text.matchAll(/\.?([A-Za-z_]\w*)|\[(\d{1,9})\]/gy)) parts.push(name ?? Number(index));
  return parts;
}

type Entry = Pick<EntryPlan, "name" | "configPlace" | "where">;

/**
 * An error of somebody who started NFs, with the entry and the place in the operator's file. Its message begins with the entry's name; for a refused
 * configuration, the lines behind the first are what the NF has logged. Other errors come back as they are.
 */
export function explainStart(error: unknown, entries: readonly Entry[]): unknown {
  if (!(error instanceof NfError) || (error.code !== "config.refused" && error.code !== "nf.start")) return error;
  const [head = "", ...lines] = error.message.split("\n");
  const entry = entries.find(({ name }) => head.startsWith(`${name}: `) || head.startsWith(`chain '${name}': `));
  if (!entry) return error;
  const text = head.slice(head.indexOf(": ") + 2);
  if (error.code === "config.refused") return configRefused(entry, lines, text);
  return new NfError("nf.start", `chain '${entry.name}': ${safeText(text)}`, { where: entry.where, cause: error, fix: "Nothing was started or changed." });
}

/** `lines` are what the NF has logged, `otherwise` is what is known when it has not said what it dislikes. */
export function configRefused(entry: Entry, lines: readonly string[], otherwise: string): NfError {
  const complaints = lines.map((line) => LINE.exec(line)).filter((match) => match !== null);
  const [first] = complaints;
  if (!first) return new NfError("config.refused", `chain '${entry.name}': ${safeText(otherwise)}`, { where: entry.configPlace([]) ?? entry.where });
  const [, path = "", code = "", text = ""] = first;
  const more = complaints.length > 1 ? ` (and ${complaints.length - 1} more)` : "";
  const isOurs = code.startsWith("config.") && Object.hasOwn(ERROR_CODES, code);
  const at = path === "" ? "" : `${safeText(path, 100)}: `;
  return new NfError(isOurs ? (code as ErrorCode) : "config.refused", `chain '${entry.name}': ${at}${safeText(text, 300)}${more}`, {
    where: entry.configPlace(parsePath(path)) ?? entry.where,
    fix: "Nothing was started or changed.",
  });
}
