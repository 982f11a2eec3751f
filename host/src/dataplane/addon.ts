/**
 * The native addon, loaded once per process and started once per process: DPDK's environment cannot be initialised twice. Main thread only.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { NfError } from "@nfactor/sdk/errors";
import { ABI_VERSION } from "@nfactor/sdk/abi";
import { addonPath } from "../package.ts";
import type { EalInfo, EalOptions, NativeAddon } from "./native_types.ts";
import { native } from "./native_error.ts";

const FIX = "Run 'npm run build' in NFActor's folder; 'nfactor doctor' says what is missing for it.";

let loaded: NativeAddon | undefined;
let started: { options: EalOptions; info: EalInfo } | undefined;

/** Throws NfError (native.missing) when the addon is not built, was built for another machine, or for another ABI. */
export function loadAddon(): NativeAddon {
  if (loaded) return loaded;
  const path = addonPath();
  if (!existsSync(path)) throw new NfError("native.missing", `the native dataplane is not built (${path} does not exist)`, { fix: FIX });
  let addon: NativeAddon;
  try {
    addon = createRequire(import.meta.url)(path) as NativeAddon;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
    throw new NfError("native.missing", `the native dataplane does not load: ${why}`, { cause, fix: FIX });
  }
  const { abiVersion } = addon.buildInfo();
  if (abiVersion !== ABI_VERSION) {
    throw new NfError("native.missing", `the native dataplane was built for ABI version ${abiVersion}, this is version ${ABI_VERSION}`, { fix: FIX });
  }
  loaded = addon;
  return addon;
}

/** Starts DPDK's environment, or finds it started. Memory is fixed by the first call; a later one that wants more is an error of the caller. */
export function startAddon(options: EalOptions): { addon: NativeAddon; eal: EalInfo } {
  const addon = loadAddon();
  if (started && started.options.memoryMb < options.memoryMb)
    throw new Error(`the dataplane runs with ${started.options.memoryMb} MiB already, ${options.memoryMb} are wanted`);
  started ??= { options, info: native(() => addon.start(options)) };
  return { addon, eal: started.info };
}
