/** Builds NFs from their folders and puts them into a chain on the simulator. */
import { buildNf } from "../build/index.ts";
import { encodeConfig } from "../config/index.ts";
import { NfError } from "../errors.ts";
import type { Rights } from "../manifest/manifest.ts";
import type { ChainEntry } from "../simulator/chain_nf.ts";
import type { SimulationOptions } from "../simulator/simulation.ts";
import { SourcePlaces } from "./source_places.ts";
import { TestChain, type TestedNf } from "./test_chain.ts";

export interface NfOptions {
  /** The chain entry's name; default is the NF's. */
  name?: string;
  /** Rights that are granted; default is all that the manifest wants. */
  grant?: Partial<Rights>;
  /** Values in the lease pool; default 1000 for an NF with the right. */
  leaseSize?: number;
}

export type ChainOptions = Omit<SimulationOptions, "chain">;

/** One NF of a chain: its folder, or that and how it runs. */
export type ChainItem = string | ({ folder: string; config?: object } & NfOptions);

/**
 * Builds the NF of a folder and starts it with this configuration. Throws NfError as `nfactor build` and `nfactor run` would: compile errors, a
 * configuration that is wrong, an NF that refuses it.
 */
export async function loadNf(folder: string, config: object = {}, options: NfOptions & ChainOptions = {}): Promise<TestChain> {
  const { name, grant, leaseSize, ...chain } = options;
  return loadChain(
    [{ folder, config, ...(name === undefined ? {} : { name }), ...(grant === undefined ? {} : { grant }), ...(leaseSize === undefined ? {} : { leaseSize }) }],
    chain,
  );
}

/** Several NFs in the order of the chain. */
export async function loadChain(items: readonly ChainItem[], options: ChainOptions = {}): Promise<TestChain> {
  const caller = new Error().stack ?? "";
  try {
    return await load(items, options);
  } catch (error) {
    throw readable(error, caller);
  }
}

const OWN = new URL("../", import.meta.url).pathname;

/**
 * For a test runner, which shows an error's message and the first line of its stack: the place goes into the one; the other is where the test
 * called us, since what was thrown far below, in later turns, has forgotten that.
 */
function readable(error: unknown, caller: string): unknown {
  if (!(error instanceof NfError)) return error;
  error.message = error.format();
  error.stack = [
    `${error.name}: ${error.message}`,
    ...caller.split("\n").filter((line) => /^\s+at /.test(line) && (!line.includes(OWN) || line.includes(".test.ts"))),
  ].join("\n");
  // What the compiler threw says no more.
  delete error.cause;
  return error;
}

async function load(items: readonly ChainItem[], options: ChainOptions): Promise<TestChain> {
  const entries: ChainEntry[] = [];
  const nfs: TestedNf[] = [];
  for (const item of items) {
    const { folder, config = {}, name, grant = {}, leaseSize = 1000 } = typeof item === "string" ? { folder: item } : item;
    const built = await buildNf(folder);
    const { manifest, core, digest, stateSchema, configSchema, sourceMap } = built;
    const entry = name ?? manifest.name;
    const rights = { ...manifest.rights, ...grant };
    entries.push({ entry, manifest, core, digest, stateSchema, config: encodeConfig(configSchema, config), rights, leaseSize: rights.lease ? leaseSize : 0 });
    nfs.push({ entry, stateSchema, places: new SourcePlaces(sourceMap) });
  }
  return new TestChain({ ...options, chain: entries }, nfs);
}
