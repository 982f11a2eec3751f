/** What a host does of what it is told: once, in order, all or nothing, and again after whoever did it has died. */
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NfError } from "@nfactor/sdk/errors";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { TestHost } from "./testing.ts";

let host: TestHost;
beforeEach(async () => {
  host = new TestHost();
  await host.start();
});
afterEach(() => host.close());

const RUN = "blue.web";
const of = { deployment: "blue/web" };
const refusal = (code: string): NfError => new NfError(code as "internal", `refused with ${code}`, { fix: "mend it" });

describe("deploying", () => {
  test("what is deployed runs from artifacts that were fetched once; asked again, nothing is done", async () => {
    const spec = host.spec(["one", "two", "one"]);
    expect(await host.deploy(1, spec)).toMatchObject({ ...of, action: "start", flows_ended: 0, dry_run: false });
    expect(host.fetched).toEqual([host.artifact("one"), host.artifact("two")]);
    expect(readFileSync(host.pathOf(host.artifact("two")), "utf8")).toBe("two");
    expect(host.children.members.get(RUN)!.chain).toEqual(host.runFile(spec));
    expect(await host.status()).toEqual({ ...of, revision: 1, spec, state: "running", pid: 1001, starts: 1 });
    expect(await host.deploy(1, spec)).toMatchObject({ action: "none" });
    expect([host.children.starts, host.fetched.length]).toEqual([1, 2]);
  });

  test("what runs under its name for another daemon is neither taken for it nor ended with it", async () => {
    host.children.others.add(RUN);
    host.children.members.set(RUN, { chain: [], count: 2 });
    expect(await host.deploy(1, host.spec(["one"])).catch((error: unknown) => error)).toMatchObject({ code: "host.settings" });
    expect(await host.status()).toMatchObject({ state: "failed", error: { code: "host.settings" } });
    await host.call("undeploy", { ...of, dry_run: false });
    expect(await host.status()).toBeUndefined();
    expect([host.children.members.has(RUN), host.children.starts]).toEqual([true, 0]);
  });

  test("an older revision, or another one under the same number, is refused", async () => {
    await host.deploy(5, host.spec(["one"]));
    expect(await host.deploy(4, host.spec(["one"])).catch((error: unknown) => error)).toMatchObject({ code: "host.stale" });
    expect(await host.deploy(5, host.spec(["two"])).catch((error: unknown) => error)).toMatchObject({ code: "host.stale" });
    expect(await host.status()).toMatchObject({ revision: 5, spec: host.spec(["one"]) });
    expect(await host.deploy(6, host.spec(["one"], { runtimes: 4 }))).toMatchObject({ action: "none" });
    expect(host.order()).toMatchObject({ revision: 6, spec: { runtimes: 4 } });
    expect(host.children.swaps).toEqual([]);
  });

  test("other NFs and configurations of the same entries are swapped in, the others are left alone", async () => {
    await host.deploy(1, host.spec(["one", "two", "three"], {}, [{ x: 1 }, undefined, { y: 1 }]));
    const next = host.spec(["one", "two2", "three"], {}, [undefined, undefined, { y: 2 }]);
    expect(await host.deploy(2, next)).toMatchObject({ action: "swap", flows_ended: 0 });
    expect(host.children.swaps).toEqual(["a=one null", "b=two2 null", 'c=three {"y":2}']);
    expect(host.order()).toEqual({ v: 1, ...of, revision: 2, spec: next, ending: false });
    expect(host.children.members.get(RUN)!.chain).toEqual(host.runFile(next));
    // What nobody needs any more is gone.
    expect(readdirSync(join(host.folder, "artifacts")).sort()).toEqual(["one", "two2", "three"].map((nf) => host.artifact(nf)).sort());
    expect(host.children.starts).toBe(1);
  });

  test("when one of them is refused before anything was changed, nothing is; when it is refused later, those before it go back", async () => {
    const before = host.spec(["one", "two", "three"]);
    await host.deploy(1, before);
    for (const dry_run of [true, false]) {
      host.children.onSwap = (params) => {
        if (params.entry === "c" && params.dry_run === dry_run) throw refusal("config.refused");
      };
      const error = await host.deploy(2, host.spec(["one2", "two2", "three2"])).catch((why: unknown) => why);
      expect(error).toMatchObject({ code: "config.refused", message: "refused with config.refused", fix: "mend it" });
      expect(host.children.swaps).toEqual(dry_run ? [] : ["a=one2 null", "b=two2 null", "b=two null", "a=one null"]);
      expect(host.order()).toEqual({ v: 1, ...of, revision: 1, spec: before, ending: false });
      expect(host.children.members.get(RUN)!.chain).toEqual(host.runFile(before));
    }
    host.children.onSwap = () => undefined;
    expect(await host.deploy(2, host.spec(["one2", "two2", "three2"]))).toMatchObject({ action: "swap" });
  });

  test("another shape ends flows, so it is only done when that is wanted", async () => {
    await host.deploy(1, host.spec(["one", "two"]));
    for (const other of [
      host.spec(["one"]),
      host.spec(["one", "two"], { memory_mb: 512 }),
      host.spec(["one", "two"], { ports: { client: { iface: "c1" }, server: { iface: "s0" } } }),
    ]) {
      const error = await host.deploy(2, other).catch((why: unknown) => why);
      expect(error).toMatchObject({ code: "host.shape", fix: expect.stringContaining("7 flows would end") as string });
    }
    expect(host.children.starts).toBe(1);
    const next = host.spec(["one"]);
    expect(await host.deploy(2, next, { replace: true, dry_run: true })).toMatchObject({ action: "replace", flows_ended: 7, dry_run: true });
    expect(await host.status()).toMatchObject({ revision: 1, pid: 1001 });
    expect(await host.deploy(2, next, { replace: true })).toMatchObject({ action: "replace", flows_ended: 7 });
    expect(await host.status()).toMatchObject({ revision: 2, spec: next, pid: 1002, state: "running" });
    expect(host.children.members.get(RUN)!.chain).toEqual(host.runFile(next));
  });

  test("a version whose states are laid out in another way takes the place of the old one only when flows may end", async () => {
    await host.deploy(1, host.spec(["one"]));
    host.children.onSwap = () => {
      throw refusal("swap.layout");
    };
    await expect(host.deploy(2, host.spec(["one2"]))).rejects.toMatchObject({ code: "swap.layout" });
    expect(await host.deploy(2, host.spec(["one2"]), { replace: true })).toMatchObject({ action: "replace", flows_ended: 7 });
  });

  test("dry runs say what would be done, and change nothing", async () => {
    const checked: string[] = [];
    host.check = async (run) => void checked.push(run);
    expect(await host.deploy(1, host.spec(["one"]), { dry_run: true })).toMatchObject({ action: "start", dry_run: true });
    expect(checked).toEqual([RUN]);
    expect(await host.status()).toBeUndefined();
    expect([readdirSync(join(host.folder, "deployments")), readdirSync(join(host.folder, "artifacts"))]).toEqual([[], []]);
    await host.deploy(1, host.spec(["one"]));
    expect(await host.deploy(2, host.spec(["two"]), { dry_run: true })).toMatchObject({ action: "swap" });
    expect(await host.call("undeploy", { ...of, dry_run: true })).toEqual({ ...of, flows_ended: 7 });
    expect([host.children.swaps, host.order().revision, (await host.status())!.state]).toEqual([[], 1, "running"]);
  });

  test("what could not run here is refused before anything is ended or kept", async () => {
    host.check = async () => {
      throw refusal("port.missing");
    };
    await expect(host.deploy(1, host.spec(["one"]))).rejects.toMatchObject({ code: "port.missing" });
    expect(await host.status()).toBeUndefined();
    host.check = async () => undefined;
    await host.deploy(1, host.spec(["one"]));
    host.check = async () => {
      throw refusal("port.missing");
    };
    await expect(host.deploy(2, host.spec(["one", "two"]), { replace: true })).rejects.toMatchObject({ code: "port.missing" });
    host.artifacts.clear();
    const lacking = host.spec(["nobody has it"]);
    host.artifacts.clear();
    await expect(host.deploy(2, lacking)).rejects.toMatchObject({ code: "artifact.not_found" });
    expect(await host.status()).toMatchObject({ revision: 1, state: "running", pid: 1001 });
  });

  test("changes come one after the other: of two at once the newer one stays, whichever comes first", async () => {
    await host.deploy(1, host.spec(["one"]));
    const [three, two] = await Promise.allSettled([host.deploy(3, host.spec(["three"])), host.deploy(2, host.spec(["two"]))]);
    expect(three).toMatchObject({ status: "fulfilled", value: { action: "swap" } });
    expect(two).toMatchObject({ status: "rejected", reason: { code: "host.stale" } });
    expect(await host.status()).toMatchObject({ revision: 3, spec: host.spec(["three"]) });
    // One that was called off while it waited is not done.
    let open = (): void => undefined;
    const gate = new Promise<void>((done) => (open = done));
    host.children.onSwap = () => gate;
    const four = host.deploy(4, host.spec(["four"]));
    const off = new AbortController();
    const five = host.call("deploy", { ...of, revision: 5, spec: host.spec(["five"]), replace: false, dry_run: false }, off.signal);
    off.abort(refusal("rpc.cancelled"));
    await expect(five).rejects.toMatchObject({ code: "rpc.cancelled" });
    open();
    expect(await four).toMatchObject({ action: "swap" });
    expect(await host.status()).toMatchObject({ revision: 4 });
  });
});

describe("after a death", () => {
  test("a child that has died is started again with what it ran", async () => {
    await host.deploy(1, host.spec(["one"]));
    await host.deploy(2, host.spec(["two"]));
    await host.children.kill(RUN);
    await host.until(async () => (await host.status())!.pid === 1002 && (await host.status())!.state === "running");
    expect(await host.status()).toMatchObject({ revision: 2, starts: 2 });
    expect(host.children.members.get(RUN)!.chain).toEqual(host.runFile(host.spec(["two"])));
  });

  test("the next daemon finds what runs, and starts nothing; what died meanwhile it starts", async () => {
    const spec = host.spec(["one"]);
    await host.deploy(3, spec);
    await host.restart();
    await host.until(async () => (await host.status())!.state === "running");
    expect(await host.status()).toEqual({ ...of, revision: 3, spec, state: "running", pid: 1001, starts: 1 });
    await host.daemon.leave();
    await host.children.kill(RUN);
    await host.start();
    await host.until(async () => (await host.status())!.state === "running");
    expect(await host.status()).toMatchObject({ pid: 1002, starts: 2 });
  });

  test.each([0, 1, 2])("a change that was cut off after %i of its swaps is finished by the next child", async (done) => {
    await host.deploy(1, host.spec(["one", "two"]));
    let swaps = 0;
    host.children.onSwap = async ({ dry_run }) => {
      if (dry_run || swaps++ !== done) return;
      await host.children.kill(RUN);
      throw refusal("internal");
    };
    const next = host.spec(["one2", "two2"]);
    const asked = host.deploy(2, next);
    if (done < 2) await expect(asked).rejects.toMatchObject({ code: "host.not_running" });
    else await asked;
    await host.until(async () => (await host.status())!.revision === 2 && (await host.status())!.state === "running");
    expect(host.events.some(({ text }) => text.includes("nobody answers"))).toBe(false);
    expect(host.order()).toEqual({ v: 1, ...of, revision: 2, spec: next, ending: false });
    expect(host.children.members.get(RUN)!.chain).toEqual(host.runFile(next));
    expect(await host.deploy(2, next)).toMatchObject({ action: "none" });
  });

  test("a change that was cut off, and is refused now, is taken back", async () => {
    const before = host.spec(["one", "two"]);
    await host.deploy(1, before);
    let swaps = 0;
    host.children.onSwap = async ({ artifact, dry_run }) => {
      if (dry_run) return;
      swaps += 1;
      // Of what was asked for last nobody knows whether it was done; here it is.
      if (swaps === 2) await host.children.kill(RUN);
      if (swaps > 2 && Buffer.from(artifact).toString() === "two2") throw refusal("config.refused");
    };
    await expect(host.deploy(2, host.spec(["one2", "two2"]))).rejects.toMatchObject({ code: "host.not_running" });
    await host.until(async () => (await host.status())!.state === "running" && host.order().next === undefined);
    expect(host.order()).toMatchObject({ revision: 1, spec: before });
    expect(host.children.members.get(RUN)!.chain).toEqual(host.runFile(before));
  });

  test("one that fails again and again says so and why, and runs as soon as it can", async () => {
    host.children.refuse.set(RUN, refusal("port.missing"));
    const spec = host.spec(["one"]);
    await expect(host.deploy(1, spec)).rejects.toMatchObject({ code: "port.missing", fix: "mend it" });
    expect(await host.status()).toMatchObject({ state: "failed", error: { code: "port.missing", message: "refused with port.missing", fix: "mend it" }, spec });
    await expect(host.call("poll_load", of)).rejects.toMatchObject({ code: "host.not_running", message: expect.stringContaining("port.missing") as string });
    // Nothing runs, so nothing is lost with another shape.
    await expect(host.deploy(2, host.spec(["one", "two"]))).rejects.toMatchObject({ code: "port.missing" });
    host.children.refuse.clear();
    expect(await host.deploy(2, host.spec(["one", "two"]))).toMatchObject({ action: "none" });
    expect(await host.status()).not.toHaveProperty("error");
  });

  test("an artifact that was damaged on disk is not run, and fetched again", async () => {
    await host.deploy(1, host.spec(["one"]));
    writeFileSync(host.pathOf(host.artifact("one")), "onf");
    await host.children.kill(RUN);
    await host.until(async () => (await host.status())!.pid === 1002 && (await host.status())!.state === "running");
    expect(readFileSync(host.pathOf(host.artifact("one")), "utf8")).toBe("one");
    expect(host.fetched).toHaveLength(2);
  });

  test("what is damaged on disk is told and left alone, and keeps nobody from the others", async () => {
    await host.deploy(1, host.spec(["one"]));
    await host.call("deploy", { deployment: "red/x", revision: 1, spec: host.spec(["two"]), replace: false, dry_run: false });
    writeFileSync(join(host.folder, "deployments/red.x/order.json"), "{");
    await host.restart();
    await host.until(async () => (await host.status())!.state === "running");
    expect((await host.call("deployments", {})).deployments).toHaveLength(1);
    expect(host.events.some(({ event, text }) => event === "state" && text.includes("red.x is damaged"))).toBe(true);
    expect(existsSync(join(host.folder, "deployments/red.x/order.json"))).toBe(true);
  });

  test.each([
    ["as it is wanted: it is taken over", "one", undefined],
    ["otherwise: that is said, and it goes on", "two", "host.settings"],
  ])("a run that nobody has an order for any more, %s", async (_, wanted, code) => {
    await host.deploy(1, host.spec(["one"]));
    await host.daemon.leave();
    rmSync(join(host.folder, "deployments"), { recursive: true });
    await host.start();
    const deployed = host.deploy(2, host.spec([wanted]));
    if (code === undefined) expect(await deployed).toMatchObject({ action: "start" });
    else await expect(deployed).rejects.toMatchObject({ code });
    expect(host.children.members.get(RUN)!.chain).toEqual(host.runFile(host.spec(["one"])));
    expect(host.children.starts).toBeGreaterThan(1);
  });

  test("two daemons do not share a folder", async () => {
    await expect(new TestHost().start({ state: host.folder })).rejects.toMatchObject({
      code: "host.state",
      message: expect.stringContaining(`pid ${process.pid}`) as string,
    });
  });
});

test("a swap is carried out once, by whoever was asked for it", async () => {
  await host.deploy(1, host.spec(["one"]));
  host.children.onSwap = () => new Promise((done) => setTimeout(done, 20));
  const next = host.spec(["two"]).chain[0]!;
  await host.call("swap", { deployment: "blue/web", entry: "a", revision: 2, next, dry_run: false });
  await new Promise((done) => setTimeout(done, 60));
  expect(host.children.swaps).toEqual(["a=two null"]);
  expect(host.events.map(({ text }) => text).filter((text) => text.includes("cut off"))).toEqual([]);
});

describe("ending", () => {
  test("an ended deployment leaves nothing; ended again, there is nothing to do", async () => {
    await host.deploy(1, host.spec(["one"]));
    expect(await host.call("undeploy", { ...of, dry_run: false })).toEqual({ ...of, flows_ended: 7 });
    expect(await host.call("undeploy", { ...of, dry_run: false })).toEqual({ ...of, flows_ended: 0 });
    expect([host.children.members.size, readdirSync(join(host.folder, "deployments")), readdirSync(join(host.folder, "artifacts"))]).toEqual([0, [], []]);
    await expect(host.call("poll_load", of)).rejects.toMatchObject({ code: "host.no_deployment" });
    expect(await host.deploy(1, host.spec(["one"]))).toMatchObject({ action: "start" });
  });

  test("what became of its packets is told when it ends", async () => {
    await host.deploy(1, host.spec(["one"]));
    const packets = { received: 1200, sent: 1190, held: 0, dropped: { "a.limit": 7 }, lost_in_failure: 3 };
    const result = { packets, flows: [], faults: [] };
    writeFileSync(join(host.folder, "deployments/blue.web/child.out"), `${JSON.stringify(result)}\n`);
    await host.call("undeploy", { ...of, dry_run: false });
    const text = "it has ended, and 7 flows with it; packets: 1,200 received, 1,190 sent, 7 dropped, 0 held, 3 lost in processes that died";
    expect(host.events.at(-1)).toMatchObject({ deployment: "blue/web", text, packets });
  });

  test("processes whose supervisor is dead are ended too", async () => {
    await host.deploy(1, host.spec(["one"]));
    host.children.refuse.set(RUN, refusal("internal"));
    await host.children.kill(RUN);
    await host.call("undeploy", { ...of, dry_run: false });
    expect(host.children.members.size).toBe(0);
  });

  test("what was being ended when the daemon died is ended by the next one", async () => {
    await host.deploy(1, host.spec(["one"]));
    await host.daemon.leave();
    const path = join(host.folder, "deployments/blue.web/order.json");
    writeFileSync(path, JSON.stringify({ ...host.order(), ending: true }));
    await host.start();
    await host.until(async () => (await host.status()) === undefined);
    expect(host.children.members.size).toBe(0);
  });
});

describe("what goes to the deployment", () => {
  test("a swap is of the entry, under a revision of its own; the same again is done", async () => {
    await host.deploy(1, host.spec(["one", "two"]));
    const next = host.spec(["one", "two2"]).chain[1]!;
    const wish = { ...of, entry: "b", revision: 2, next, dry_run: false };
    expect(await host.call("swap", { ...wish, dry_run: true })).toMatchObject({ dry_run: true, to: { digest: next.nf.digest } });
    expect(host.order().revision).toBe(1);
    expect(await host.call("swap", wish)).toMatchObject({ entry: "b", flows: 7, to: { digest: next.nf.digest } });
    expect(host.order()).toEqual({ v: 1, ...of, revision: 2, spec: host.spec(["one", "two2"]), ending: false });
    expect(await host.call("swap", wish)).toMatchObject({ packets_dropped: 0 });
    expect(host.children.swaps).toEqual(["b=two2 null"]);
    for (const [wrong, code] of [
      [{ ...wish, revision: 1 }, "host.stale"],
      [{ ...wish, revision: 3, entry: "c" }, "swap.entry"],
      [{ ...wish, revision: 3, entry: "a" }, "rpc.params"],
      [{ ...wish, revision: 3, next: { ...next, lease: { size: 5 } } }, "host.shape"],
    ] as const)
      await expect(host.call("swap", wrong), code).rejects.toMatchObject({ code });
    host.children.onSwap = () => {
      throw refusal("swap.layout");
    };
    await expect(host.call("swap", { ...wish, revision: 3, next: host.spec(["x", "y"]).chain[1]! })).rejects.toMatchObject({ code: "swap.layout" });
    expect(host.order()).toMatchObject({ revision: 2, spec: host.spec(["one", "two2"]) });
  });

  test("its errors come back as they are; methods that it lacks are named", async () => {
    await host.deploy(1, host.spec(["one"]));
    await expect(host.call("recover", { ...of, runtime: 1, dry_run: false })).rejects.toMatchObject({
      ...{ code: "runtime.last", message: "runtime 1 is the only one", fix: "add another one" },
    });
    expect((await host.call("poll_load", of)).runtimes.map(({ runtime, flows }) => [runtime, flows])).toEqual([
      [0, 0],
      [1, 7],
      [2, 0],
    ]);
    const params = { ...of, match: [], packets: 1, seconds: 1 };
    const sink = { offer: () => true, send: async () => undefined };
    const request = { peer: { name: "c", software: "", life: "" }, signal: new AbortController().signal, key: undefined };
    await expect(host.daemon.handlers.trace({ ...params, deployment: "red/x" }, sink, request)).rejects.toMatchObject({ code: "host.no_deployment" });
    expect(await host.daemon.handlers.trace(params, sink, request)).toEqual({ packets: 3, matched: 4, missed: 1, lost_hops: 0 });
    await expect(host.call("recover", { deployment: "red/x", runtime: 1, dry_run: false })).rejects.toMatchObject({ code: "host.no_deployment" });
  });

  test("load comes again and again, of all that run, until nobody reads it", async () => {
    await host.deploy(1, host.spec(["one"]));
    const seen: string[] = [];
    const off = new AbortController();
    const sink = { offer: ({ deployment }: { deployment: string }) => seen.push(deployment) > 0, send: async () => undefined };
    const request = { peer: { name: "c", software: "", life: "" }, signal: off.signal, key: undefined };
    const watching = host.daemon.handlers.watch_load({ every_ms: 100 }, sink, request);
    await host.until(() => seen.length >= 2);
    off.abort(refusal("rpc.cancelled"));
    await expect(watching).rejects.toMatchObject({ code: "rpc.cancelled" });
    expect(new Set(seen)).toEqual(new Set(["blue/web"]));
  });
});
