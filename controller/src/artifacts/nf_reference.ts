/**
 * How versions of NFs are named: `firewall` (its newest), `firewall@1.2.0`, `firewall@sha256:3f9a…` (12 digits or more). Names and versions are those that a
 * manifest may have, so that none of them does harm in a path, a log or a terminal.
 */
import { NfError } from "@nfactor/sdk/errors";
import { manifestSchema, nameSchema } from "@nfactor/sdk/manifest";
import { shown } from "../store/names.ts";

export interface NfReference {
  readonly nf: string;
  readonly version?: string;
  /** The beginning of the artifact's SHA-256. */
  readonly digest?: string;
}

const DIGEST = /^sha256:([0-9a-f]{12,64})$/;
const NAME = "a lower-case letter, then letters, digits and underscores, 63 at most";
const versionSchema = manifestSchema.shape.version;

function refuse(what: string, given: unknown, allowed: string): never {
  const text = typeof given === "string" ? shown(given) : `a ${typeof given}`;
  throw new NfError("artifact.name", `${text} is no ${what}`, { given: text, allowed, fix: "Mend the name." });
}

/** Throws NfError (artifact.name). */
export function requireArtifactName(what: "tenant" | "NF", name: string): void {
  if (!nameSchema.safeParse(name).success) refuse(`name of a${what === "NF" ? "n NF" : " tenant"}`, name, NAME);
}

/** Throws NfError (artifact.name). */
export function requireVersion(version: string): void {
  if (!versionSchema.safeParse(version).success) refuse("version", version, "major.minor.patch, like 1.0.0 or 1.1.0-rc.1");
}

/** Throws NfError (artifact.name). */
export function parseNfReference(text: string): NfReference {
  const allowed = "<name>, <name>@<version>, or <name>@sha256:<12 to 64 digits of its digest>";
  if (typeof text !== "string" || text.length > 256) refuse("reference to an NF", typeof text === "string" ? text.slice(0, 256) : text, allowed);
  const at = text.indexOf("@");
  const [nf, rest] = at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
  requireArtifactName("NF", nf);
  if (rest === undefined) return { nf };
  const digest = DIGEST.exec(rest)?.[1];
  if (digest !== undefined) return { nf, digest };
  if (rest.startsWith("sha256:") || !versionSchema.safeParse(rest).success) refuse("reference to an NF", text, allowed);
  return { nf, version: rest };
}

/** By precedence as semantic versioning 2.0.0 has it (its section 11); two that are equal by that, as 1.0.0 and 01.0.0, by their text. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parts(a), parts(b)];
  for (let i = 0; i < 3; i++) {
    const order = compareNumbers(left.core[i]!, right.core[i]!);
    if (order !== 0) return order;
  }
  return comparePreReleases(left.pre, right.pre) || compareText(a, b);
}

/** The highest version that is no pre-release; of pre-releases alone, the highest. */
export function newestOf(versions: Iterable<string>): string | undefined {
  const sorted = [...versions].sort(compareVersions);
  return sorted.findLast((version) => !version.includes("-")) ?? sorted.at(-1);
}

function parts(version: string): { readonly core: readonly string[]; readonly pre: readonly string[] } {
  const dash = version.indexOf("-");
  const [core, pre] = dash < 0 ? [version, undefined] : [version.slice(0, dash), version.slice(dash + 1)];
  return { core: core.split("."), pre: pre?.split(".") ?? [] };
}

function comparePreReleases(a: readonly string[], b: readonly string[]): number {
  // A release is above all that lead to it.
  if (a.length === 0 || b.length === 0) return Math.sign(b.length - a.length);
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [x, y] = [a[i]!, b[i]!];
    const [xNumber, yNumber] = [/^\d+$/.test(x), /^\d+$/.test(y)];
    const order = xNumber && yNumber ? compareNumbers(x, y) : xNumber !== yNumber ? (xNumber ? -1 : 1) : compareText(x, y);
    if (order !== 0) return order;
  }
  return Math.sign(a.length - b.length);
}

/** Of any number of digits. */
function compareNumbers(a: string, b: string): number {
  const [x, y] = [a.replace(/^0+(?=\d)/, ""), b.replace(/^0+(?=\d)/, "")];
  return Math.sign(x.length - y.length) || compareText(x, y);
}

const compareText = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1);
