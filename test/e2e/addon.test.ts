/**
 * The native addon by itself: its errors, and that a process with it ends whatever was going on. Each case is a process of its own, since DPDK
 * starts once per process.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addonPath } from "../../host/src/package.ts";

const FLOWS = 20_000;
let folder: string;
let capture: string;

/** One UDP packet for each of many flows. */
function manyFlows(): Buffer {
  const frame = 46;
  const file = Buffer.alloc(24 + FLOWS * (16 + frame));
  file.writeUInt32LE(0xa1b2c3d4, 0);
  file.writeUInt16LE(2, 4);
  file.writeUInt16LE(4, 6);
  file.writeUInt32LE(65_535, 16);
  file.writeUInt32LE(1, 20);
  for (let i = 0; i < FLOWS; i++) {
    const record = file.subarray(24 + i * (16 + frame));
    record.writeUInt32LE(1000, 0);
    record.writeUInt32LE(i, 4);
    record.writeUInt32LE(frame, 8);
    record.writeUInt32LE(frame, 12);
    const bytes = record.subarray(16);
    bytes.writeUInt16BE(0x0800, 12);
    bytes.set([0x45, 0, 0, 32], 14);
    bytes.set([64, 17], 22);
    bytes.writeUInt32BE(0x0a000001, 26);
    bytes.writeUInt32BE(0x0a010000 + i, 30);
    bytes.set([3, 232, 0, 53, 0, 12], 34);
  }
  return file;
}

/** Runs `body` with the started addon `a` and `spec(changes)`; what it prints, or its failure with exit code and stderr. */
function inProcess(body: string): Promise<{ stdout: string; stderr: string }> {
  const script = `
    import { createRequire } from "node:module";
    const a = createRequire(${JSON.stringify(import.meta.url)})(${JSON.stringify(addonPath())});
    a.start({ hugepages: "auto", memoryMb: 256 });
    const spec = (changes) => ({
      input: { kind: "capture", in: ${JSON.stringify(capture)}, clientCidrs: [] }, nonIp: "forward", seed: "1", chain: [], keepEndedFlows: 8,
      flows: { max: 65536, idleMs: { tcp: 300000, tcpOpening: 30000, tcpClosing: 10000, udp: 30000, icmp: 5000, other: 30000 } }, ...changes });
    const started = async (changes) => { const id = await a.createRuntime(spec(changes)); a.startRuntime(id); return id; };
    const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    ${body}`;
  return promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], { timeout: 30_000, killSignal: "SIGKILL" });
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "nfactor-addon-"));
  capture = join(folder, "many.pcap");
  writeFileSync(capture, manyFlows());
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a run", () => {
  it("gives its counters and every event, and the process ends by itself", async () => {
    const { stdout } = await inProcess(`
      const id = await started();
      let ended = 0;
      const timer = setInterval(() => { ended += a.drainEvents(id).length; }, 1);
      const { counters, error } = await a.waitRuntime(id);
      clearInterval(timer);
      ended += a.drainEvents(id).length;
      console.log(counters.received, counters.sent, counters.flowsEnded, ended, error);
      a.destroyRuntime(id);`);
    expect(stdout).toBe(`${FLOWS}n ${FLOWS}n ${FLOWS}n ${FLOWS} undefined\n`);
  });

  it("describes flows that live", async () => {
    const { stdout } = await inProcess(`
      const id = await a.createRuntime(spec());
      console.log(JSON.stringify(await a.flows(id, { limit: 10 })), a.counters(id).flowsOpen);`);
    expect(stdout).toBe('{"flows":[]} 0\n');
  });
});

describe("a process ends", () => {
  it("by process.exit while a run waits for its events to be taken", async () => {
    const { stdout } = await inProcess(`
      const id = await started();
      void a.waitRuntime(id);
      await later(50);
      console.log("leaving");
      process.exit(0);`);
    expect(stdout).toBe("leaving\n");
  });

  it("by an exception, with Node's message", async () => {
    await expect(inProcess(`const id = await started(); void a.waitRuntime(id); await later(50); throw new Error("boom");`)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining("boom") as string,
    });
  });

  it("after a run was destroyed under a promise", async () => {
    const { stdout } = await inProcess(`
      const id = await started();
      const end = a.waitRuntime(id);
      await later(50);
      a.destroyRuntime(id);
      const { counters } = await end;
      console.log(counters.received === counters.sent);`);
    expect(stdout).toBe("true\n");
  });

  it("with a runtime that never started", async () => {
    await inProcess(`await a.createRuntime(spec());`);
  });
});

describe("errors", () => {
  it("carry a code", async () => {
    const { stdout } = await inProcess(`
      const code = async (act) => { try { await act(); console.log("no error"); } catch (error) { console.log(error.code, error instanceof Error); } };
      const nf = { entry: "x", name: "x", version: "1.0.0", digest: "", native: new Uint8Array(100), config: new Uint8Array(), stateBytes: 0,
        stateDigest: "", rights: { view: "headers", edit: "none", reshape: false, reply: false, emits: 0, lease: false }, heapPages: 1,
        onFault: "drop", quarantine: "closed", leaseSize: 0, dropReasons: {}, counters: [], exports: [] };
      await code(() => a.counters(99));
      await code(() => a.waitRuntime(99));
      await code(() => a.createRuntime(spec({ chain: [nf] })));
      await code(() => a.createRuntime(spec({ input: { kind: "capture", in: "/nowhere", clientCidrs: [] } })));
      await code(() => a.createRuntime(spec({ input: { kind: "af_packet", client: "nowhere0", server: "nowhere1" } })));
      const id = await started();
      await code(() => a.startRuntime(id));
      await code(() => a.swap(id, "none", nf));
      await code(() => a.runtimes(id));
      await code(() => a.addRuntime(id));
      await code(() => a.removeRuntime(id, 1, { force: true }));
      await code(() => a.migrate(id, { from: 1, to: 2, count: 1 }));
      await code(() => a.drain(id, 1, { to: [] }));
      await code(() => a.undrain(id, 1));
      await code(() => a.flows(id, { limit: 1, runtime: 1 }));
      await code(() => a.runtimes(99));`);
    expect(stdout.trim().split("\n")).toEqual([
      "runtime.not_found true",
      "runtime.not_found true",
      "nf.compile true",
      "capture.read true",
      "port.missing true",
      "runtime.busy true",
      "swap.entry true",
      ...Array.from({ length: 7 }, () => "runtime.direct true"),
      "runtime.not_found true",
    ]);
  });

  it("of JavaScript types name the field", async () => {
    const { stdout } = await inProcess(`
      const switching = { runtimes: 1, lcores: 1, placement: "round_robin", migrations: 1 };
      for (const changes of [{ switching: 3 }, { switching: { ...switching, runtimes: -1 } }, { switching: { ...switching, lcores: 65536 } },
        { switching: { ...switching, placement: "best" } }, { switching: { ...switching, migrations: 0.5 } },
        { switching: { ...switching, replication: { replicas: 1, mode: "copy", unprotected: "strict" } } },
        { switching: { ...switching, replication: { replicas: 1, mode: "hold", unprotected: "maybe" } } }, { seed: "x" }, { seed: 1 }, { nonIp: "maybe" }, { flows: 3 }, { keepEndedFlows: -1 }, { chain: [5] }, { input: {} }]) {
        try { await a.createRuntime(spec(changes)); } catch (error) { console.log(error.name, error.message.split(": ")[1]); }
      }`);
    expect(stdout.trim().split("\n")).toEqual([
      "TypeError switching must be an object",
      "TypeError runtimes must be a whole number of 16 bits",
      "TypeError lcores must be a whole number of 16 bits",
      "TypeError placement must be one of its known words",
      "TypeError migrations must be a whole number of 32 bits",
      "TypeError mode must be one of its known words",
      "TypeError unprotected must be one of its known words",
      "TypeError seed must be an unsigned 64-bit number in decimal",
      "TypeError seed must be a string",
      "TypeError nonIp must be one of its known words",
      "TypeError flows must be an object",
      "TypeError keepEndedFlows must be a whole number of 32 bits",
      "TypeError chain must be objects",
      "TypeError kind must be a string",
    ]);
  });
});
