/** What `nfactor check` says of a verdict: a table of what was measured next to its limit, the refusals, and the same as JSON. */
import { NfError } from "../errors.ts";
import type { Admission } from "./check.ts";
import { type LimitName, type Measure, type Refusal, formatRefusal } from "./rules.ts";

export interface AdmissionJson {
  ok: boolean;
  nf?: string;
  version?: string;
  digest?: string;
  measured: Partial<Record<LimitName, Measure>>;
  refusals: Refusal[];
}

export function admissionJson({ ok, nf, measured, refusals }: Admission): AdmissionJson {
  return { ok, ...(nf && { nf: nf.manifest.name, version: nf.manifest.version, digest: nf.digest }), measured, refusals };
}

/** Several lines, without a newline at the end. */
export function formatAdmission(admission: Admission): string {
  return [verdict(admission), ...table(admission), ...refusals(admission)].join("\n");
}

/** The error of a caller that has no use for a refused NF. `what` is how the message names it. */
export function refusedError(what: string, admission: Admission): NfError {
  const first = admission.refusals[0];
  const more = admission.refusals.length - 1 + admission.hidden;
  const rest = more > 0 ? ` (and ${more} more refusal${more > 1 ? "s" : ""}: 'nfactor check' shows all)` : "";
  return new NfError(
    first?.rule === "check_limits" ? "admission.timeout" : "admission.refused",
    `${what} is refused by rule ${first?.rule}: ${first?.message}${rest}`,
    {
      given: first === undefined ? undefined : String(first.value),
      allowed: first === undefined ? undefined : String(first.limit),
      fix: first?.fix,
    },
  );
}

function verdict({ nf, refusals, hidden }: Admission): string {
  if (nf === undefined) {
    const count = refusals.length + hidden;
    return `refused: ${count} ${count === 1 ? "rule is broken" : "complaints"}`;
  }
  const { manifest, digest, abiVersion, stateBytes, stateVersion, heapPages, optionalExports } = nf;
  const { view, edit, reshape, reply, emits, lease } = manifest.rights;
  const flags = [reshape && "reshape", reply && "reply", emits > 0 && `emits ${emits}`, lease && "lease"].filter((flag) => flag !== false);
  return [
    `admitted: ${manifest.name} ${manifest.version}`,
    `  module   sha256 ${digest}, ABI ${abiVersion}, ${heapPages} heap page${heapPages === 1 ? "" : "s"}`,
    `  state    ${stateBytes} bytes a flow, version ${stateVersion}`,
    `  rights   view ${view}, edit ${edit}${flags.map((flag) => `, ${flag}`).join("")}`,
    `  exports  the required ones${optionalExports.length > 0 ? `, ${optionalExports.join(", ")}` : ""}`,
  ].join("\n");
}

function table({ measured }: Admission): string[] {
  const rows = Object.entries(measured).map(
    ([name, { value, limit }]) => [name.replace(/_max$/, ""), number(value), number(limit), value > limit ? "  too much" : ""] as const,
  );
  if (rows.length === 0) return [];
  const width = (column: 0 | 1 | 2, title: string): number => Math.max(title.length, ...rows.map((row) => row[column].length));
  const [name, value, limit] = [width(0, "measured"), width(1, "value"), width(2, "limit")];
  const line = (a: string, b: string, c: string, d: string): string => `  ${a.padEnd(name)}  ${b.padStart(value)}  ${c.padStart(limit)}${d}`;
  return ["", line("measured", "value", "limit", ""), ...rows.map((row) => line(...row))];
}

function refusals({ refusals, hidden }: Admission): string[] {
  if (refusals.length === 0) return [];
  return ["", ...refusals.map((refusal) => `  ${formatRefusal(refusal)}`), ...(hidden > 0 ? [`  ${hidden} more of the same rules`] : [])];
}

const number = (value: number): string => value.toLocaleString("en-US");
