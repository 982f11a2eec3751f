import { spawn } from "node:child_process";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { checkComponent, encodeAdmission } from "@nfactor/sdk/admission";
import { expect, test } from "vitest";
import { type Store, openSqliteStore } from "../store/index.ts";
import { freshFolder } from "../store/testing/folder.ts";
import { Random } from "../store/testing/steps.ts";
import { text } from "../store/testing/stores.ts";
import { ArtifactRegistry } from "./index.ts";
import { artifactOf, sha256 } from "./testing/artifacts.ts";
import { BUILDS, type CrashStep, VERSIONS, fileOf, nextStep } from "./testing/crash_child.ts";
import { lookAt, wrongIn } from "./testing/invariants.ts";

const KILLS = Number(process.env["NF_ARTIFACTS_KILLS"] ?? 5);
const FIRST_SEED = Number(process.env["NF_ARTIFACTS_SEED"] ?? Date.now() % 1_000_000);
const MOST_ACKNOWLEDGED = 60;
const REGISTER = resolve(import.meta.dirname, "../../../sdk/register.mjs");
const CHILD = join(import.meta.dirname, "testing/crash_child.ts");

/** Starts the process, kills it so long after it has acknowledged so many steps, and says how many it has. Between two of them is whatever it is doing then. */
function runAndKill(args: readonly string[], acknowledged: number, laterMs: number): Promise<number> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, ["--import", REGISTER, CHILD, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    const kill = (): boolean => child.kill("SIGKILL");
    const timer = setTimeout(kill, 60_000);
    let [output, errors] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      if (output.length >= "open\n".length + acknowledged) setTimeout(kill, laterMs);
    });
    child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    child.on("error", fail);
    child.on("close", (_, signal) => {
      clearTimeout(timer);
      if (errors !== "") fail(new Error(errors));
      else if (signal !== "SIGKILL") fail(new Error(`it ended before it was killed: ${output.length} bytes of output`));
      else done(output.split(".").length - 1);
    });
  });
}

/** What is acknowledged, as plainly as can be: the builds that versions have, when they were found unused, and the one that is deployed. */
class Plain {
  builds = new Map<string, number>();
  idle = new Set<string>();
  deployed: string | undefined;

  static of({ builds, idle, deployed }: Plain): Plain {
    return Object.assign(new Plain(), { builds: new Map(builds), idle: new Set(idle), deployed });
  }

  take(step: CrashStep): void {
    switch (step.do) {
      case "upload":
        if (!this.builds.has(step.version)) this.builds.set(step.version, step.build);
        else if (this.builds.get(step.version) !== step.build) return;
        this.idle.delete(step.version);
        return;
      case "deploy":
        if (!this.builds.has(step.version)) return;
        this.deployed = step.version;
        this.idle.delete(step.version);
        return;
      case "undeploy":
        this.deployed = undefined;
        return;
      case "delete":
        if (step.version !== this.deployed) this.#drop(step.version);
        return;
      case "collect":
        for (const version of VERSIONS) this.collectOne(version);
    }
  }

  collectOne(version: string): void {
    if (!this.builds.has(version)) return;
    if (version === this.deployed) this.idle.delete(version);
    else if (this.idle.has(version)) this.#drop(version);
    else this.idle.add(version);
  }

  #drop(version: string): void {
    this.builds.delete(version);
    this.idle.delete(version);
  }

  show(): string {
    return JSON.stringify([[...this.builds].sort(), [...this.idle].sort(), this.deployed]);
  }

  /** All that may be there while the step is under way: nothing of it, all of it, or of a collection what it has come to. */
  during(step: CrashStep): string[] {
    const states = [Plain.of(this)];
    if (step.do === "collect") {
      for (const version of VERSIONS) {
        const next = Plain.of(states.at(-1)!);
        next.collectOne(version);
        states.push(next);
      }
    } else {
      states.push(Plain.of(this));
      states[1]!.take(step);
    }
    return states.map((state) => state.show());
  }
}

async function stateOf(store: Store, folder: string, builds: ReadonlyMap<string, number>): Promise<Plain> {
  const { versions, others } = await lookAtAll(store, folder);
  const state = new Plain();
  for (const [name, { artifact }] of versions) {
    const version = name.split("/")[2]!;
    state.builds.set(version, builds.get(artifact.digest)!);
    const use = others.get(`artifacts/uses/${name}`) as { object: { idleSinceMs?: number } };
    if (use.object.idleSinceMs !== undefined) state.idle.add(version);
  }
  const { entry } = await store.get("deployment");
  // By its digest, which is to be that of a version that is there.
  state.deployed = entry && [...versions.values()].find(({ artifact }) => artifact.digest === text(entry.value))!.manifest.version;
  return state;
}

/** Without the deployment, which is no JSON. */
async function lookAtAll(store: Store, folder: string): Promise<Awaited<ReturnType<typeof lookAt>>> {
  const seen = await lookAt(store, folder, "artifacts/");
  expect(wrongIn(seen, folder)).toEqual([]);
  return seen;
}

test(`a process is killed ${KILLS} times: what it acknowledged is there, no version lacks its blobs, and nothing stays that nobody has`, async () => {
  console.log(`seed ${FIRST_SEED}; NF_ARTIFACTS_SEED=${FIRST_SEED} NF_ARTIFACTS_KILLS=${KILLS} repeats the steps, not the moments`);
  const random = new Random(FIRST_SEED);
  const folder = freshFolder();
  const blobs = join(folder, "blobs");
  const builds = new Map<string, number>();
  for (const version of VERSIONS)
    for (const build of BUILDS) {
      // Large enough that writing it takes its time.
      const component = await artifactOf({ version, build: build === 0 ? 20 : 40 });
      writeFileSync(fileOf(folder, version, build), component);
      writeFileSync(`${fileOf(folder, version, build)}.verdict`, encodeAdmission(await checkComponent(component)));
      builds.set(sha256(readFileSync(fileOf(folder, version, build))), build);
    }
  let plain = new Plain();
  const totals = { acknowledged: 0, underWay: 0, uploadsLeft: 0 };
  for (let round = 0; round < KILLS; round++) {
    const seed = FIRST_SEED + round;
    const count = await runAndKill([folder, String(seed)], random.below(MOST_ACKNOWLEDGED), random.below(8));
    const steps = new Random(seed);
    for (let i = 0; i < count; i++) plain.take(nextStep(steps));
    totals.acknowledged += count;
    const allowed = plain.during(nextStep(steps));
    totals.uploadsLeft += readdirSync(join(blobs, "uploads")).length;
    const store = openSqliteStore(join(folder, "store.db"));
    try {
      const found = await stateOf(store, blobs, builds);
      expect(allowed, `seed ${seed}, after ${count} steps`).toContain(found.show());
      totals.underWay += Number(found.show() !== allowed[0]);
      plain = found;
      // What the kill has left goes: files of uploads at once, blobs of no version with the next collection.
      const registry = await ArtifactRegistry.open({ store, folder: blobs, sources: [] });
      expect(readdirSync(join(blobs, "uploads"))).toEqual([]);
      await registry.collect({ graceMs: 0, keep: 1000 });
      const { versions, blobs: files, bytes } = await lookAtAll(store, blobs);
      const wanted = new Set([...versions.values()].flatMap(({ artifact, sourceMap }) => [artifact.digest, sourceMap!.digest]));
      expect([...files].sort()).toEqual([...wanted].sort());
      expect([registry.bytes, await registry.check()]).toEqual([bytes, []]);
    } finally {
      await store.close();
    }
  }
  console.log(`${totals.acknowledged} steps acknowledged; ${totals.underWay} times the next one had begun; ${totals.uploadsLeft} files of uploads were left`);
  expect(totals.acknowledged).toBeGreaterThan(KILLS);
}, 600_000);
