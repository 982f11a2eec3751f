/** What all steps of the demo with a network work on: a lab, a controller in it, and what is to be printed. */
import type { Finished, NetworkLab } from "../lib/network_lab.ts";
import type { ClusterLab } from "../lib/cluster_lab.ts";
import type { Show } from "./show.ts";

export const DEPLOYMENT = "default/web";

export interface Stage {
  readonly lab: NetworkLab;
  readonly cluster: ClusterLab;
  readonly show: Show;
  /** A large file of nginx, and its checksum. */
  readonly file: { readonly url: string; readonly bytes: number; readonly sha256: string };
}

export const secondsSince = (begin: number): number => (performance.now() - begin) / 1000;

/** One command on the host, shown as it would be typed; what it prints. Throws when it fails: what comes after it would make no sense. */
export async function host({ cluster, show }: Stage, words: string): Promise<string> {
  show.command("host", `nfactor ${words}`);
  const { code, stdout, stderr } = await cluster.nfactor(...splitWords(words));
  if (code !== 0) throw new Error(`nfactor ${words} ended with exit code ${code}:\n${stdout}${stderr}`);
  return stdout;
}

/** The same with --json, which is not shown. */
export async function hostJson<T>({ cluster, show }: Stage, words: string): Promise<T> {
  show.command("host", `nfactor ${words}`);
  return cluster.json<T>(...splitWords(words));
}

/** curl on the client's side. */
export async function curl({ lab, show }: Stage, url: string, more: readonly string[] = []): Promise<Finished> {
  show.command("client", `curl ${url}`);
  return lab.run("client", "curl", ["-sS", "--max-time", "20", ...more, url]);
}

/** As a shell does, as far as the demo needs it: what is in single quotes is one word. */
function splitWords(words: string): string[] {
  return [...words.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
}
