// Running the steps of a command: progress on stderr, output kept in a log and shown only when a step fails.
// Plain Node, no packages: this runs before `npm ci`.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
export const BUILD = join(ROOT, "build");

export class StepError extends Error {}

/**
 * Runs a command; resolves with its exit code and output. `live` shows the output as it comes. One that takes longer than `limit` seconds is
 * killed with everything it started, and its output says so.
 */
export function run(command, args, { cwd = ROOT, env = {}, live = false, log, onLine, limit } = {}) {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"], detached: limit !== undefined });
    const killAll = (signal) => {
      try {
        process.kill(-child.pid, signal);
      } catch {
        // It ended by itself in the meantime.
      }
    };
    const forward = (signal) => killAll(signal);
    let timer;
    if (limit !== undefined) {
      // A group of its own gets no Ctrl-C from the terminal: pass it on.
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, forward);
      timer = setTimeout(() => {
        take(process.stderr)(`\n${command}: not ended after ${limit} s, killed\n`);
        killAll("SIGTERM");
        setTimeout(killAll, 10_000, "SIGKILL").unref();
      }, limit * 1000);
    }
    let output = "";
    let partial = "";
    const take = (stream) => (chunk) => {
      const text = chunk.toString();
      output = (output + text).slice(-4_000_000);
      if (live) stream.write(text);
      if (log) appendFileSync(log, text);
      if (onLine) {
        const lines = (partial + text).split(/\r?\n/);
        partial = lines.pop() ?? "";
        for (const line of lines) onLine(line);
      }
    };
    child.stdout.on("data", take(process.stdout));
    child.stderr.on("data", take(process.stderr));
    child.on("error", fail);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.removeListener(name, forward);
      done({ code: code ?? (signal ? 128 : 1), output });
    });
  });
}

/** Like run, but a failure is a StepError that carries the end of the output. */
export async function must(command, args, options = {}) {
  const { code, output } = await run(command, args, options);
  if (code !== 0) throw new StepError(`${[command, ...args].join(" ")} failed with exit code ${code}:\n${output.trimEnd().split("\n").slice(-40).join("\n")}`);
  return output;
}

const seconds = (from) => `${((Date.now() - from) / 1000).toFixed(1)} s`;

/** Runs [{ title, done?, run }] in order. A step whose `done()` is true is skipped; its line says so. */
export async function runSteps(steps) {
  let number = 0;
  for (const step of steps) {
    number += 1;
    const head = `[${number}/${steps.length}] ${step.title}`;
    if (step.done && (await step.done())) {
      console.error(`${head}: up to date`);
      continue;
    }
    const from = Date.now();
    const ticker = process.stderr.isTTY ? undefined : setInterval(() => console.error(`${head} … ${seconds(from)}`), 30_000);
    console.error(`${head} …`);
    const show = (line) => {
      if (process.stderr.isTTY && line.trim()) process.stderr.write(`\r\x1b[2K    ${line.trim().slice(0, (process.stderr.columns ?? 80) - 6)}`);
    };
    try {
      await step.run(show);
    } catch (error) {
      console.error(`${head}: failed after ${seconds(from)}`);
      throw error;
    } finally {
      clearInterval(ticker);
      if (process.stderr.isTTY) process.stderr.write("\r\x1b[2K");
    }
    console.error(`${head}: ok, ${seconds(from)}`);
  }
}

/** SHA-256 over files' contents (paths relative to ROOT; folders are walked, build output and modules left out). */
export function hashOf(paths) {
  const hash = createHash("sha256");
  const add = (path) => {
    if (!existsSync(path)) return;
    if (statSync(path).isDirectory()) {
      for (const name of readdirSync(path).sort()) if (!["node_modules", "build", "target", ".git"].includes(name)) add(join(path, name));
      return;
    }
    hash.update(path.slice(ROOT.length)).update("\0").update(readFileSync(path)).update("\0");
  };
  for (const path of paths) add(resolve(ROOT, path));
  return hash.digest("hex");
}

const stampFile = (name) => join(BUILD, "stamps", name);
export const stampIs = (name, value) => existsSync(stampFile(name)) && readFileSync(stampFile(name), "utf8") === value;
export function setStamp(name, value) {
  mkdirSync(dirname(stampFile(name)), { recursive: true });
  writeFileSync(stampFile(name), value);
}

/** Ends the process as a command line should: a StepError is a message, anything else a bug with its stack. */
export function main(body) {
  body().catch((error) => {
    console.error(error instanceof StepError ? `\nerror: ${error.message}` : error);
    process.exitCode = 1;
  });
}
