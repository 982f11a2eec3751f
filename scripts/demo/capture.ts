/** A capture file through a chain, which needs neither root nor a network. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { booksText, droppedIn } from "../../host/src/result/books_text.ts";
import type { RunResult } from "../../host/src/result/run_result.ts";
import { ROOT, nfactorJson } from "../lib/live_host.ts";
import type { Show } from "./show.ts";

const CAPTURE = "test/fixtures/http.pcap";
const CHAIN = "flow_monitor,firewall,http_parser";
const REQUESTS_SHOWN = 4;

export async function capture(show: Show): Promise<void> {
  show.title("A capture file through a chain of sandboxed NFs: no root, no network, no controller");
  const folder = mkdtempSync(join(tmpdir(), "nfactor-demo-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  try {
    show.command("host", `nfactor run --chain ${CHAIN} --in ${CAPTURE} --out out.pcap`);
    const { packets, flows } = await nfactorJson<RunResult>(["run", "--chain", CHAIN, "--in", join(ROOT, CAPTURE), "--out", "out.pcap", "--quiet"], {
      cwd: folder,
    });
    const requests = flows.flatMap(({ nfs }) => requestsOf(nfs["http_parser"]));
    for (const text of requests.slice(0, REQUESTS_SHOWN)) show.say(text);
    show.must(requests.length > REQUESTS_SHOWN, `http_parser found ${requests.length} requests in ${flows.length} flows`);
    show.must(packets.received === packets.sent + packets.held + droppedIn(packets), `every packet is in the books: ${booksText(packets)}`);
  } finally {
    process.off("exit", remove);
    remove();
  }
}

/** The first ones of a connection, from the NF's state. */
function requestsOf(state: Record<string, unknown> = {}): string[] {
  const statuses = (state["statuses"] ?? []) as number[];
  return statuses.flatMap((status, i) => (state[`method${i}`] ? [`${String(state[`method${i}`])} ${String(state[`path${i}`])} → ${status}`] : []));
}
