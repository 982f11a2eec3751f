/**
 * A core module made a component of our world. Whether the wrap succeeds is the world check: wasm-tools (which jco brings) compares names and
 * signatures of the module's exports with sdk/wit/nf.wit, and its message says what is missing or mistyped.
 */
import { readFileSync } from "node:fs";
import { WIT_WORLD } from "../abi/gen/abi.ts";
import { NfError } from "../errors.ts";

const WIT = readFileSync(new URL("../wit/nf.wit", import.meta.url), "utf8");

/** Throws NfError (pack.component) with wasm-tools' reason when the module does not fit the world. */
export async function wrapCore(core: Uint8Array): Promise<Uint8Array> {
  // Loaded here: it weighs some MB and takes 60 ms, which callers who only take components apart need not pay.
  const { componentEmbed, componentNew } = await import("@bytecodealliance/jco-transpile/wasm-tools");
  try {
    return await componentNew(await componentEmbed({ witSource: WIT, binary: core, world: WIT_WORLD, stringEncoding: "utf8" }));
  } catch (cause) {
    throw new NfError("pack.component", reason(cause), { cause, fix: "Build the NF with 'nfactor build'." });
  }
}

/** The innermost causes of wasm-tools' error, in one line of bounded length. */
function reason(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  const causes = text.includes("Caused by:") ? text.slice(text.indexOf("Caused by:") + "Caused by:".length) : text;
  const lines = causes
    .split("\n")
    .map((line) => line.trim().replace(/^\d+:\s*/, ""))
    .filter((line) => line !== "" && line !== "module was not valid");
  return (lines.join(": ") || "the module does not fit the world").slice(0, 400);
}
