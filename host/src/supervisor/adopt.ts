/** What a supervisor that takes a tenant over does about the processes that the last one has left, on this machine and at agents. */
import type { NfSpec } from "../dataplane/native_types.ts";
import type { Agents } from "./agents.ts";
import { parseCounterFile } from "./counter_file.ts";
import { START_MS, TELL_MS } from "./deadlines.ts";
import { type MemberHandle, type MemberHandleOptions, whoIs } from "./member_handle.ts";
import { MemberProcess } from "./member_process.ts";
import type { DurableMember, Found, Life } from "./membership_events.ts";
import type { Present } from "./present.ts";
import { type ProcessId, kill } from "./process_id.ts";
import type { RemoteAgent } from "./remote_agent.ts";
import { RemoteProcess } from "./remote_process.ts";
import type { RunFolder } from "./run_folder.ts";
import { staleIn } from "./tenant_spec.ts";
import { within } from "./within.ts";

export interface Left {
  folder: RunFolder;
  agents: Agents;
  /** As they are on disk. */
  members: readonly DurableMember[];
  /** Processes of this machine. */
  running: readonly { life: Life; id: ProcessId }[];
  say(text: string): void;
}

/** Makes it known to the supervisor, and asks it whom it knows; not when `isThere` is false. */
type AdoptOne = (life: Life, make: (options: MemberHandleOptions) => Promise<MemberHandle>, isThere: boolean) => Promise<Found>;

/** Makes its handle, waits until it works, and asks it whom it knows and what it runs; only the first when `isThere` is false. Rejects with NfError. */
export async function meet(
  present: Present,
  options: MemberHandleOptions,
  make: (options: MemberHandleOptions) => Promise<MemberHandle>,
  isThere: boolean,
  chain: readonly NfSpec[],
): Promise<Found> {
  let ready = (): void => undefined;
  const isReady = new Promise<void>((done) => (ready = done));
  const onEvent: MemberHandleOptions["onEvent"] = (event) => (event.event === "ready" && !present.isReady ? ready() : options.onEvent(event));
  const process = (present.process = await make({ ...options, onEvent }));
  if (isThere) await within(START_MS, isReady, `${process.who} does not work`);
  present.isReady = true;
  const status = isThere ? await process.client!.ask("status", {}, TELL_MS) : undefined;
  present.stale = staleIn(chain, status?.chain);
  return { life: present.life, knows: status?.members, homes: status?.homes };
}

/** Those that are taken over; the others have ended or are being ended. */
export async function adoptAll(left: Left, adoptOne: AdoptOne): Promise<Found[]> {
  const wanted = left.members.filter(({ isAlive }) => isAlive);
  const there = left.agents.all.map((agent) => {
    const lives = wanted.filter(({ member }) => left.agents.of(member) === agent).map(({ member, incarnation }) => ({ member, incarnation }));
    return adoptAt(agent, lives, left, adoptOne);
  });
  return (await Promise.all([adoptHere(wanted, left, adoptOne), ...there])).flat();
}

async function adoptHere(wanted: readonly Life[], { running, say }: Left, adoptOne: AdoptOne): Promise<Found[]> {
  const found: Found[] = [];
  const adopted = running.map(async ({ life, id }) => {
    const isWanted = wanted.some(({ member, incarnation }) => member === life.member && incarnation === life.incarnation);
    const make = (options: MemberHandleOptions): Promise<MemberHandle> => MemberProcess.adopt(options, id);
    const one = isWanted ? await adoptOne(life, make, true).catch((error: unknown) => String(error)) : "nobody knows it";
    if (typeof one === "string") kill(id, "SIGKILL");
    else found.push(one);
    say(`${whoIs(life, id.pid)} ${typeof one === "string" ? `is ended: ${one}` : "is taken over"}`);
  });
  await Promise.all(adopted);
  return found;
}

/**
 * Whoever does not answer, or is at an agent that cannot be reached, is taken to live, since nobody has seen it end; it is asked as soon as it can be. Whom
 * nobody knows the first report ends.
 */
async function adoptAt(agent: RemoteAgent, lives: readonly Life[], { folder, say }: Left, adoptOne: AdoptOne): Promise<Found[]> {
  const reports = await agent.connect().catch((error: unknown) => {
    say(`${error instanceof Error ? error.message : String(error)}: its runtimes are taken to go on`);
    agent.keep();
    return undefined;
  });
  const found: Found[] = [];
  const adopted = lives.map(async (life) => {
    const report = reports?.find(({ member, incarnation }) => member === life.member && incarnation === life.incarnation);
    if (reports && report?.isAlive !== true) {
      if (report?.counters) keepCounters(folder, life, report.counters);
      return;
    }
    const make = async (options: MemberHandleOptions): Promise<MemberHandle> => new RemoteProcess(agent, options, report?.pid ?? 0);
    found.push(await adoptOne(life, make, report !== undefined).catch(() => adoptOne(life, make, false)));
    if (report) say(`${whoIs(life, report.pid, agent.address)} is taken over`);
  });
  await Promise.all(adopted);
  return found;
}

function keepCounters(folder: RunFolder, life: Life, base64: string): void {
  const bytes = Buffer.from(base64, "base64");
  try {
    parseCounterFile(bytes, "");
    folder.writeCounters(life, bytes);
  } catch {
    // What was heard of it before stays.
  }
}
