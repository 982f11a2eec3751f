/**
 * A chain over packets on the native dataplane, in this process: what `nfactor run --in` does behind its flags (admission, the jailed compiler, the
 * runtime), with the dataplane's own reports kept beside the result.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AdmittedNf, checkComponent } from "@nfactor/sdk/admission";
import { buildNf } from "@nfactor/sdk/build";
import { readCapture } from "@nfactor/sdk/capture";
import { encodeConfig } from "@nfactor/sdk/config";
import { NfError } from "@nfactor/sdk/errors";
import { defaultConfig, memoryOf, runtimesSchema } from "../../host/src/config/host_config.ts";
import { startAddon } from "../../host/src/dataplane/addon.ts";
import { AddonDataplane } from "../../host/src/dataplane/addon_dataplane.ts";
import type { CountersSnapshot, FaultEvent, NativeEvent, NfSpec, RunReport, RuntimeStatus } from "../../host/src/dataplane/native_types.ts";
import { nfSpec, runtimeSpec } from "../../host/src/dataplane/runtime_spec.ts";
import { compileNf } from "../../host/src/nf/compile.ts";
import { faultSource } from "../../host/src/nf/fault_source.ts";
import type { PreparedNf } from "../../host/src/nf/prepare.ts";
import type { FaultJson, FlowJson } from "../../host/src/result/run_result.ts";
import { FlowList } from "../../host/src/run/flow_list.ts";
import { NativeRun } from "../../host/src/run/native_run.ts";
import { RunEvents } from "../../host/src/run/run_events.ts";
import { classicPcap } from "../conformance/pcap_file.ts";
import type { TestPacket } from "./traffic.ts";

export interface NativeOutcome {
  counters: CountersSnapshot;
  /** As the dataplane reported them. */
  faults: FaultEvent[];
  /** As `nfactor run --json` shows them. */
  result: { flows: FlowJson[]; faults: FaultJson[] };
  /** What a person at the terminal has read. */
  said: string[];
  sent: Uint8Array[];
  /** At the end, where there are several. */
  runtimes: RuntimeStatus[];
}

/** An NF made ready for a chain under this name; fails the test when it is not admitted. */
export async function prepared(entry: string, component: Uint8Array, config: object = {}): Promise<PreparedNf> {
  const { nf, refusals } = await checkComponent(component);
  if (!nf) throw new Error(`${entry} is refused: ${JSON.stringify(refusals)}`);
  return { ...ready(entry, nf), config: encodeConfig(nf.configSchema, config) };
}

function ready(entry: string, { manifest, stateSchema, core, digest, optionalExports }: AdmittedNf): Omit<PreparedNf, "config"> {
  const source = faultSource(undefined, core, entry);
  return { entry, manifest, stateSchema, core, digest, rights: manifest.rights, leaseSize: 0, exports: optionalExports, source };
}

export async function shipped(name: string, config: object = {}): Promise<PreparedNf> {
  const { component } = await buildNf(new URL(`../../nf-wasm/${name}`, import.meta.url).pathname);
  return prepared(name, component, config);
}

class KeptEvents extends RunEvents {
  readonly faultEvents: FaultEvent[] = [];

  override take(event: NativeEvent): void {
    if (event.type === "fault") this.faultEvents.push(event);
    super.take(event);
  }
}

/** With `runtimes` behind a vswitch. Rejects with NfError when the chain does not start. */
export async function runNative(chain: readonly PreparedNf[], packets: readonly TestPacket[], runtimes?: number): Promise<NativeOutcome> {
  const folder = mkdtempSync(join(tmpdir(), "nfactor-hostile-"));
  try {
    const [input, output] = [join(folder, "in.pcap"), join(folder, "out.pcap")];
    writeFileSync(input, classicPcap(packets.map(({ timestampNs, bytes }) => ({ timestampNs, data: bytes, wireLength: bytes.length }))));
    const settings = defaultConfig();
    const { addon } = startAddon({ hugepages: settings.memory.hugepages, memoryMb: memoryOf(settings, true) });
    const specs: NfSpec[] = [];
    for (const nf of chain) specs.push(nfSpec(nf, await compileNf(nf.core, nf.digest)));
    const said: string[] = [];
    const flows = new FlowList({ which: "all" });
    const events = new KeptEvents(chain, flows, (text) => said.push(text));
    const spec = runtimeSpec(
      { ...settings, flows: { ...settings.flows, max: 1024 }, ...(runtimes === undefined ? {} : { runtimes: runtimesSchema.parse({ count: runtimes }) }) },
      { kind: "capture", in: input, out: output, clientCidrs: [] },
      specs,
      256,
    );
    const run = await NativeRun.create(AddonDataplane.create(addon, spec), "capture", [], events);
    let report: RunReport;
    let status: RuntimeStatus[];
    try {
      await run.start();
      report = await run.ended();
      status = run.dataplane.switched ? run.dataplane.runtimes() : [];
    } finally {
      await run.destroy();
    }
    if (report.error) throw new NfError("internal", `the run ended early: ${report.error.message}`);
    return {
      counters: report.counters,
      faults: events.faultEvents,
      result: { flows: [...flows.json()].map((text) => JSON.parse(text) as FlowJson), faults: events.faults.json() },
      said,
      sent: readCapture(output).records.map(({ bytes }) => bytes),
      runtimes: status,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
