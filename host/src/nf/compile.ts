/**
 * From an admitted core module to native code: `nfactord compile` in a child process, jailed by itself, with a deadline of ours around it.
 *
 * Native code is kept in the user's cache by what it depends on: the module, the compiler, the processor. The cache's MAC says that it was this
 * user who made it; the child's output is believed because the child is ours.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { NfError } from "@nfactor/sdk/errors";
import { HostCache } from "../cache/host_cache.ts";
import { loadAddon } from "../dataplane/addon.ts";
import { nfactordPath } from "../package.ts";
import { safeText } from "../result/text.ts";

const DEADLINE_MS = 60_000;
const run = promisify(execFile);

/** `digest` is the core module's. Throws NfError (nf.compile, native.missing). */
export async function compileNf(core: Uint8Array, digest: string): Promise<Uint8Array> {
  const cache = HostCache.open();
  const key = cacheKey(digest);
  const known = cache?.get("native", key);
  if (known) return known;
  const native = await compile(core, digest);
  cache?.put("native", key, native);
  return native;
}

/** A new build of the compiler, another Wasmtime or another processor makes other code. */
function cacheKey(digest: string): string {
  const { version, wasmtime, abiVersion } = loadAddon().buildInfo();
  const compiler = statSync(nfactordPath());
  const about = JSON.stringify([version, wasmtime, abiVersion, compiler.size, compiler.mtimeMs, cpus()[0]?.model ?? "", process.arch]);
  return `${digest}.${createHash("sha256").update(about).digest("hex").slice(0, 16)}`;
}

async function compile(core: Uint8Array, digest: string): Promise<Uint8Array> {
  const nfactord = nfactordPath();
  const folder = mkdtempSync(join(tmpdir(), "nfactor-compile-"));
  try {
    const [input, output] = [join(folder, "module.wasm"), join(folder, "module.native")];
    writeFileSync(input, core, { mode: 0o600 });
    await run(nfactord, ["compile", input, output], { timeout: DEADLINE_MS, killSignal: "SIGKILL", maxBuffer: 1 << 20, env: {} });
    return readFileSync(output);
  } catch (cause) {
    throw new NfError("nf.compile", `module sha256:${digest.slice(0, 12)} could not be compiled to native code: ${reason(cause)}`, {
      cause,
      fix: "If 'nfactor check' accepts it, please report this module; a smaller or simpler one may compile.",
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function reason(error: unknown): string {
  const { killed, signal, stderr, message } = error as { killed?: boolean; signal?: string | null; stderr?: string; message?: string };
  if (killed === true) return `the compiler took longer than ${DEADLINE_MS / 1000} s`;
  if (signal) return `the compiler was stopped by ${signal}, most likely at one of its limits`;
  const last = (stderr ?? "").trim().split("\n").at(-1);
  return safeText(last === undefined || last === "" ? (message ?? "unknown") : last.replace(/^nf\.compile: /, ""), 300);
}
