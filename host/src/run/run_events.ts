/**
 * What a runtime reports while it runs: faults, log lines, quarantines, ended flows. Everything in them that comes from a guest is untrusted text.
 *
 * A swap changes the sources that faults point into, so these are looked up by the module's digest. Faults of the version before may come a little later, and
 * a swap may be undone; older ones are not kept.
 */
import { logLevelName } from "@nfactor/sdk/abi";
import type { NativeEvent, NativeFlow } from "../dataplane/native_types.ts";
import { type FaultSource, FaultLog, faultText } from "../result/faults.ts";
import { type ChainStates, flowJson } from "../result/flow_json.ts";
import { plural, safeText } from "../result/text.ts";
import type { FlowList } from "./flow_list.ts";

/** Flows are numbered in order of their first packet by each runtime for itself; those of several are put in order by time. */
function orderOf({ flowId, runtime, startNs }: NativeFlow): bigint {
  return runtime === 0 ? flowId : (startNs << 64n) + flowId;
}

interface Known {
  /** Of the module, as its faults carry it. */
  readonly digest: string;
  readonly source: FaultSource;
}

const SOURCES_KEPT = 4;

export class RunEvents {
  readonly faults = new FaultLog();
  readonly flows: FlowList;
  readonly #chain: ChainStates;
  /** By entry, the newest last. */
  readonly #sources = new Map<string, readonly Known[]>();
  readonly #say: (text: string) => void;

  /** `say` gets what a person at the terminal should read at once. */
  constructor(chain: ChainStates, flows: FlowList, say: (text: string) => void) {
    this.#chain = chain;
    this.flows = flows;
    this.#say = say;
  }

  /** Sources of an entry's next version. */
  know({ entry, digest, source }: Known & { readonly entry: string }): void {
    const others = (this.#sources.get(entry) ?? []).filter((known) => known.digest !== digest);
    this.#sources.set(entry, [...others, { digest, source }].slice(-SOURCES_KEPT));
  }

  take(event: NativeEvent): void {
    switch (event.type) {
      case "flow_ended":
        this.flows.add(orderOf(event.flow), () => flowJson(event.flow, this.#chain));
        break;
      case "fault": {
        const source = this.#sources.get(event.entry)?.find(({ digest }) => digest === event.digest)?.source;
        if (this.faults.add(event, source)) this.#say(faultText(event, source));
        break;
      }
      case "log":
        if (event.lost > 0) this.#say(`log  ${event.entry}: ${plural(event.lost, "line")} lost`);
        this.#say(`log  ${event.entry} ${logLevelName(event.level)}: ${safeText(event.text)}`);
        break;
      case "quarantine":
        this.#say(
          `quarantine  ${event.entry}: ${plural(event.faults, "fault")} in short order; ${event.mode === "open" ? "packets pass by it" : "its packets are dropped (nf_quarantined)"} until it is swapped`,
        );
        break;
    }
  }
}
