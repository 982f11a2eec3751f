import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NfError } from "@nfactor/sdk/errors";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type ChainFlags, type Plan, makePlan } from "./plan.ts";

let folder: string;
let before: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nfa-plan-"));
  before = process.cwd();
  process.chdir(folder);
  for (const name of ["one", "two"]) {
    mkdirSync(join(folder, "nf-wasm", name), { recursive: true });
    writeFileSync(join(folder, "nf-wasm", name, "nf.yaml"), `apiVersion: nfactor/v1\nname: ${name}\nversion: 1.0.0\n`);
  }
});
afterEach(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

const file = (text: string, name = "nfactor.yaml"): string => {
  writeFileSync(join(folder, name), text);
  return name;
};
const chain = (plan: Plan) => plan.entries.map(({ name, place }) => [name, place.path.slice(folder.length + 1)]);
function refused(flags: ChainFlags): string {
  try {
    makePlan(flags);
  } catch (error) {
    if (error instanceof NfError) return error.format();
    throw error;
  }
  throw new Error("nothing was refused");
}

const YAML = `apiVersion: nfactor/v1
non_ip: drop
flows: { max: 5 }
chain:
  - { name: a, nf: one, config: { x: 1 }, grant: { edit: headers }, lease: { size: 9 } }
  - nf: nf-wasm/two
`;

test("a chain of names from the command line, entries named after their NFs", () => {
  expect(chain(makePlan({ chain: "one,b=two" }))).toEqual([
    ["one", "nf-wasm/one"],
    ["b", "nf-wasm/two"],
  ]);
});

test("./nfactor.yaml is used when nothing else is said, and only then", () => {
  file(YAML);
  expect(chain(makePlan({}))).toEqual([
    ["a", "nf-wasm/one"],
    ["two", "nf-wasm/two"],
  ]);
  expect(makePlan({ chain: "one" }).settings.non_ip).toBe("forward");
});

test("flags override the file; a name of --chain that the file knows is the file's entry", () => {
  file(YAML);
  const plan = makePlan({ config: "nfactor.yaml", chain: "two,a", maxFlows: "7", seed: "18446744073709551615", client: ["10.0.0.0/8"] });
  expect(chain(plan)).toEqual([
    ["two", "nf-wasm/two"],
    ["a", "nf-wasm/one"],
  ]);
  expect(plan.entries[1]).toMatchObject({ config: { x: 1 }, leaseSize: 9, grant: { edit: "headers" } });
  expect(plan.settings).toMatchObject({ non_ip: "drop", flows: { max: 7 }, seed: 2n ** 64n - 1n, clients: ["10.0.0.0/8"] });
});

test("without a word about runtimes it is direct mode", () => {
  file(YAML);
  expect(makePlan({}).settings.runtimes).toBeUndefined();
  expect(makePlan({ chain: "one" }).settings.runtimes).toBeUndefined();
});

test("runtimes from flags, from the file, and flags over the file", () => {
  const flags = { chain: "one", runtimes: "4" };
  expect(makePlan(flags).settings.runtimes).toEqual({ count: 4, placement: "round_robin", migrations: 1000 });
  const all = { ...flags, lcores: "2", placement: "least-loaded", migrations: "4000" };
  expect(makePlan(all).settings.runtimes).toEqual({ count: 4, lcores: 2, placement: "least_loaded", migrations: 4000 });
  file(`${YAML}runtimes: { count: 3, lcores: 1, placement: least_loaded }\n`);
  expect(makePlan({}).settings.runtimes).toEqual({ count: 3, lcores: 1, placement: "least_loaded", migrations: 1000 });
  expect(makePlan({ runtimes: "5", placement: "round_robin" }).settings.runtimes).toEqual({ count: 5, lcores: 1, placement: "round_robin", migrations: 1000 });
  expect(makePlan({ migrations: "1" }).settings.runtimes).toMatchObject({ count: 3, migrations: 1 });
  const replication = { replicas: 1, mode: "hold", unprotected: "strict" };
  expect(makePlan({ ...flags, replicas: "1" }).settings.runtimes).toMatchObject({ replication });
  expect(makePlan({ ...flags, replicas: "1", replication: "hold", unprotected: "available" }).settings.runtimes).toMatchObject({
    replication: { ...replication, unprotected: "available" },
  });
  expect(makePlan({ ...flags, replicas: "1", replication: "relay" }).settings.runtimes).toMatchObject({
    replication: { ...replication, mode: "relay" },
  });
  file(`${YAML}runtimes: { count: 3, replication: { mode: relay } }\n`);
  expect(makePlan({}).settings.runtimes).toMatchObject({ replication: { ...replication, mode: "relay" } });
  file(`${YAML}runtimes: { count: 3, replication: { unprotected: available } }\n`);
  expect(makePlan({}).settings.runtimes).toMatchObject({ replication: { ...replication, unprotected: "available" } });
  expect(makePlan({ replicas: "0" }).settings.runtimes).toMatchObject({ replication: { replicas: 0 } });
  expect(makePlan({ ...flags, processes: true }).settings.runtimes).toEqual({ count: 4, placement: "round_robin", migrations: 1000, processes: true });
  file(`${YAML}runtimes: { count: 3, processes: true }\n`);
  expect(makePlan({}).settings.runtimes).toMatchObject({ count: 3, processes: true });
  expect(makePlan({ runtimes: "2" }).settings.runtimes).toMatchObject({ count: 2, processes: true });
});

test("agents from flags, and from the file, beside which their key files are", () => {
  const flags = { chain: "one", runtimes: "4", processes: true };
  const agent = { address: "10.9.0.2:7700", key_file: "agent.key", iface: "l0", runtimes: 1 };
  expect(makePlan({ ...flags, agent: ["10.9.0.2:7700,key=agent.key,iface=l0"] }).settings.runtimes).toMatchObject({ agents: [agent] });
  const two = ["10.9.0.2:7700,key=agent.key,iface=l0", "[fd00::2]:7700,runtimes=2,iface=l0,key=/k"];
  expect(makePlan({ ...flags, agent: two }).settings.runtimes).toMatchObject({
    agents: [agent, { address: "[fd00::2]:7700", key_file: "/k", iface: "l0", runtimes: 2 }],
  });
  mkdirSync("there");
  file(`${YAML}runtimes: { count: 3, processes: true, agents: [{ address: "10.9.0.2:7700", key_file: agent.key, iface: l0 }] }\n`, "there/nfactor.yaml");
  expect(makePlan({ config: "there/nfactor.yaml", chain: "one" }).settings.runtimes).toMatchObject({
    agents: [{ ...agent, key_file: join(process.cwd(), "there/agent.key") }],
  });
});

test("an entry's configuration, grant and pool from flags", () => {
  const rules = file("rules:\n  - { action: drop }\n", "rules.yaml");
  const [one, two] = makePlan({ chain: "one,two", nfConfig: [`two=${rules}`], grant: ["one=edit:payload,reply,emits:2", "two"], lease: ["two=100"] }).entries;
  expect(one).toMatchObject({ grant: { view: "payload", edit: "payload", reply: true, emits: 2, reshape: false }, config: undefined });
  expect(two).toMatchObject({ grant: "all", leaseSize: 100, config: { rules: [{ action: "drop" }] } });
  expect(two!.configPlace(["rules", 0, "action"])).toEqual({ file: "rules.yaml", line: 2, column: 15 });
});

test("the place of a configuration value is that of the host's file", () => {
  file(YAML);
  expect(makePlan({}).entries[0]!.configPlace(["x"])).toEqual({ file: "nfactor.yaml", line: 5, column: 38 });
});

test.each<[ChainFlags, string]>([
  [{}, "error[usage]: there is no chain.\n  Give one with --chain, or a configuration file with --config (or as ./nfactor.yaml)."],
  [{ chain: "one,onee" }, "error[nf.not_found]: there is no NF 'onee': neither a path, nor in ./nf-wasm, nor shipped."],
  [{ chain: "one,one" }, "error[usage]: the chain has two entries called 'one'."],
  [{ chain: "one,,two" }, "error[usage]: --chain: 'one,,two' has an empty name in it."],
  [{ chain: "one", grant: ["oen"] }, "error[usage]: --grant: the chain has no entry 'oen'.\n  Allowed: one. Did you mean 'one'?"],
  [{ chain: "one", grant: ["one=edit:all"] }, "error[usage]: --grant edit:all: 'edit' is \"all\".\n  Allowed: view:headers|payload, "],
  [{ chain: "one", lease: ["one=0"] }, "error[usage]: --lease: "],
  [{ chain: "one", nfConfig: ["one"] }, "error[usage]: --nf-config one: a value is missing."],
  [{ chain: "one", nfConfig: ["one=none.yaml"] }, "error[config.not_found]: none.yaml does not exist or cannot be read."],
  [{ chain: "one", client: ["10.0.0.0/33"] }, "error[config.prefix]: --client: '10.0.0.0/33' is no prefix."],
  [{ chain: "one", maxFlows: "0" }, "error[usage]: --max-flows: '0' is not a number in its range."],
  [{ chain: "one", seed: "18446744073709551616" }, "error[usage]: --seed: '18446744073709551616' is no unsigned 64-bit number."],
  [{ chain: "one", runtimes: "0" }, "error[usage]: --runtimes: '0' is not a number in its range.\n  Allowed: 1 to 15."],
  [{ chain: "one", runtimes: "16" }, "error[usage]: --runtimes: '16' is not a number in its range.\n  Allowed: 1 to 15."],
  [{ chain: "one", runtimes: "2", lcores: "17" }, "error[usage]: --lcores: '17' is not a number in its range.\n  Allowed: 1 to 16."],
  [{ chain: "one", runtimes: "2", migrations: "4001" }, "error[usage]: --migrations: '4001' is not a number in its range.\n  Allowed: 1 to 4000."],
  [{ chain: "one", runtimes: "2", replicas: "2" }, "error[usage]: --replicas: '2' is not a number in its range.\n  Allowed: 0 to 1."],
  [{ chain: "one", runtimes: "2", replicas: "1", replication: "copy" }, "error[usage]: --replication: 'copy' is not allowed.\n  Allowed: hold, relay."],
  [{ chain: "one", runtimes: "1", replicas: "1" }, "error[usage]: --runtimes 1: replicas are in other runtimes: there must be two at least"],
  [{ chain: "one", runtimes: "2", unprotected: "strict" }, "error[usage]: --unprotected is about replicas, and there are none"],
  [{ chain: "one", runtimes: "2", placement: "random" }, "error[usage]: --placement: 'random' is not allowed.\n  Allowed: round_robin, least_loaded."],
  [
    { chain: "one", lcores: "2" },
    "error[usage]: --lcores is about several runtimes, and this is direct mode.\n  Add --runtimes <n> (in nfactor.yaml: runtimes: { count: <n> }).",
  ],
  [
    { chain: "one", processes: true },
    "error[usage]: --processes is about several runtimes, and this is direct mode.\n  Add --runtimes <n> (in nfactor.yaml: runtimes: { count: <n> }).",
  ],
  [
    { chain: "one", runtimes: "1", processes: true },
    "error[usage]: --runtimes 1: process mode is of two runtimes at least: with one, its death ends all flows anyway.\n",
  ],
  [
    { chain: "one", runtimes: "2", lcores: "2", processes: true },
    "error[usage]: --lcores 2: in process mode the virtual switch and each runtime have a thread",
  ],
  [{ chain: "one", agent: ["10.9.0.2:7700,key=k,iface=l0"] }, "error[usage]: --agent is about several runtimes, and this is direct mode."],
  [
    { chain: "one", runtimes: "2", agent: ["10.9.0.2:7700,key=k,iface=l0"] },
    "error[usage]: --agent: runtimes on other machines are processes of their own.\n  Add --processes",
  ],
  [
    { chain: "one", runtimes: "2", processes: true, agent: ["10.9.0.2:7700,key=k,iface=l0", "10.9.0.2:7700,key=k,iface=l1"] },
    "error[usage]: --agent: two agents have the same address.",
  ],
  [
    { chain: "one", runtimes: "2", processes: true, agent: ["10.9.0.2:7700,key=k,iface=l0,runtimes=3"] },
    "error[usage]: --runtimes 2: there are 3 runtimes at agents alone.",
  ],
  [{ chain: "one", runtimes: "2", processes: true, agent: ["10.9.0.2,key=k,iface=l0"] }, "error[usage]: --agent 10.9.0.2,key=k,iface=l0: 'address' is"],
  [{ chain: "one", runtimes: "2", processes: true, agent: ["10.9.0.2:1,iface=l0"] }, "error[usage]: --agent 10.9.0.2:1,iface=l0: 'key_file' is missing"],
  [{ chain: "one", runtimes: "2", processes: true, agent: ["10.9.0.2:1,key=k,iface=l0,runtimes=x"] }, "'runtimes' is"],
  [{ chain: "one", runtimes: "2", processes: true, agent: ["10.9.0.2:1,key=k,iface=l0,weight=2"] }, "unknown field 'weight'"],
  [{ config: "no.yaml" }, "error[config.not_found]: no.yaml does not exist or is no readable file."],
])("%j is refused", (flags, message) => {
  expect(refused(flags)).toContain(message);
});

test.each<[string, string]>([
  ["apiVersion: nfactor/v1\nchain: [\n", "error[config.yaml]: nfactor.yaml:3:1: "],
  ["apiVersion: nfactor/v1\nchain:\n  - { nf: onee }\n", "error[nf.not_found]: nfactor.yaml:3:11: there is no NF 'onee'"],
  [
    "apiVersion: nfactor/v1\nchain:\n  - { nf: one, grunt: {} }\n",
    "error[config.field]: nfactor.yaml:3:16: unknown field 'chain[0].grunt'.\n  Allowed: name, nf, config, grant, lease. Did you mean 'grant'?",
  ],
  [
    "apiVersion: nfactor/v1\nruntimes: { lcores: 2 }\nchain: [{ nf: one }]\n",
    "error[config.field]: nfactor.yaml:2:11: 'runtimes.count' is missing.\n  Allowed: a number.",
  ],
  [
    "apiVersion: nfactor/v1\nruntimes: { count: 1, processes: true }\nchain: [{ nf: one }]\n",
    "error[config.field]: nfactor.yaml:2:20: 'runtimes.count' is 1: process mode is of two runtimes at least",
  ],
  [
    "apiVersion: nfactor/v1\nruntimes: { count: 2, placment: round_robin }\nchain: [{ nf: one }]\n",
    "error[config.field]: nfactor.yaml:2:23: unknown field 'runtimes.placment'.\n  Allowed: count, lcores, placement, migrations, replication, processes, agents. Did you mean 'placement'?",
  ],
  ["apiVersion: nfactor/v1\nflows: { max: 0 }\nchain: [{ nf: one }]\n", "error[config.field]: nfactor.yaml:2:15: 'flows.max' is 0.\n  Allowed: 1 or more."],
])("a file with a slip names line and column", (text, message) => {
  file(text);
  expect(refused({})).toContain(message);
});
