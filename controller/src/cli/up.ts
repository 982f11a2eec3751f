/**
 * Controller, API and host daemon in one process, over one folder. They are started in this order, and ended in the other one; what runs on the host outlives
 * all of them.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { admit } from "@nfactor/host/admit";
import { UnwaitedOutput, hostOptions, machineName, machineText } from "@nfactor/host/cli";
import type { DaemonEvent, HostDaemon } from "@nfactor/host/daemon";
import { type Endpoint, parseEndpoint } from "@nfactor/host/endpoint";
import { endpointText } from "@nfactor/host/identity";
import { CONTROLLER_METHODS, GUEST_METHODS, HOST_METHODS, RpcLog } from "@nfactor/host/session";
import { plural, safeText } from "@nfactor/host/text";
import { NfError } from "@nfactor/sdk/errors";
import { FIRST_TENANT } from "../cluster/index.ts";
import { type Controller, openController } from "../controller.ts";
import { ADMIN_TOKEN_FILE, ApiTokens, DEFAULT_REST_LIMITS, type RestServer, createRestServer, ensureAdminToken, readTlsFiles } from "../rest/index.ts";
import type { UpOptions } from "./commands/up.ts";
import { readContexts, requireContextName, writeContexts } from "./context_file.ts";
import { eventLine } from "./views/cluster_text.ts";

/** The store does nothing any more until it is opened anew: that is for the next start, and for whoever sees to it that there is one. */
const STORE_BROKEN: ReadonlySet<string> = new Set(["store.io", "store.damaged"]);

export async function up(options: UpOptions): Promise<void> {
  const { say, said } = teller(options.json === true);
  const wish = wishOf(options);
  const undo: (() => Promise<unknown>)[] = [];
  const end = new AbortController();
  const stopped = onSignals(say);
  let brokeWith: (why: NfError) => void = () => undefined;
  const broken = new Promise<never>((_, fail) => (brokeWith = fail));
  // It may break while the rest is being started, or ended.
  broken.catch(() => undefined);
  try {
    const onTrouble = (why: NfError): void => {
      say({ event: "trouble", code: why.code, text: why.message });
      if (STORE_BROKEN.has(why.code)) brokeWith(why);
    };
    const log = options.rpcLog === undefined ? undefined : openRpcLog(options.rpcLog, onTrouble);
    if (log) undo.push(async () => log.close());
    const controller = await openController({
      folder: wish.state,
      // By the same user on the same machine: what is admitted at its upload need not be looked at once more when the host here is to run it.
      registry: { admit },
      ...(wish.rpc === undefined ? {} : { tls: wish.rpc }),
      ...(log ? { session: { tap: log.tap } } : {}),
      onTrouble,
    });
    undo.push(() => controller.close());
    const { rest, address, token } = await serveApi(controller, options, wish, say);
    undo.push(() => rest.close());
    say({ event: "api", api: address, text: `API: ${address}` });
    if (wish.rpc && controller.port !== undefined)
      say({
        event: "rpc",
        port: controller.port,
        text: `hosts on other machines: ${endpointText({ host: wish.rpc.host, port: controller.port })}, with a token of 'nfactor hosts token <name>'`,
      });
    void follow(controller, say, end.signal);
    const daemon = options.host ? await startDaemon(controller, options, wish, say) : undefined;
    if (daemon) undo.push(() => leave(daemon, wish, say));
    if (options.context !== false) remember(options.context, address, token, say);
    say({ event: "ready", state: wish.state, text: whatNext(options, wish, daemon) });
    await Promise.race([stopped, broken]);
    say({ event: "ending", text: "ending; Ctrl-C again ends it at once" });
  } finally {
    end.abort();
    // One that fails leaves the others to be done.
    for (const step of undo.reverse()) await step().catch((error: unknown) => say({ event: "trouble", text: (error as Error).message }));
  }
  say({ event: "ended", text: "the controller has ended; 'nfactor up' with the same folder goes on where it was" });
  await said.end();
  process.exit(0);
}

interface UpWish {
  readonly state: string;
  readonly listen: Endpoint;
  readonly rpc: Endpoint | undefined;
  readonly name: string;
}

/** Throws NfError (usage, host.permission) before anything is started. */
function wishOf(options: UpOptions): UpWish {
  if (options.context !== false) requireContextName(options.context);
  if ((options.apiCert === undefined) !== (options.apiKey === undefined))
    throw new NfError("usage", "--api-cert and --api-key go together", { fix: "Give both, or none." });
  const state = resolve(options.state ?? defaultState());
  const wish = {
    state,
    listen: endpoint("--listen", options.listen),
    rpc: options.rpc === undefined ? undefined : endpoint("--rpc", options.rpc),
    name: options.name ?? machineName(),
  };
  if (options.host) hostOptions(options);
  try {
    mkdirSync(state, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new NfError("host.permission", `${state} cannot be made: ${(cause as Error).message}`, { cause, fix: "Name a folder of yours with --state." });
  }
  return wish;
}

function defaultState(env: NodeJS.ProcessEnv = process.env): string {
  if (process.getuid?.() === 0) return "/var/lib/nfactor";
  const base = env.XDG_STATE_HOME;
  return join(base?.startsWith("/") ? base : join(env.HOME ?? homedir(), ".local/state"), "nfactor");
}

/** Throws NfError (host.permission). */
const openRpcLog = (path: string, onTrouble: (why: NfError) => void): RpcLog =>
  new RpcLog(path, { name: "controller", asks: HOST_METHODS, serves: { ...CONTROLLER_METHODS, ...GUEST_METHODS }, onTrouble });

/** Port 0 is one that is free. */
function endpoint(flag: string, text: string): Endpoint {
  const free = /^(.*):0$/.exec(text)?.[1];
  const parsed = parseEndpoint(free === undefined ? text : `${free}:1`);
  if (parsed) return free === undefined ? parsed : { ...parsed, port: 0 };
  throw new NfError("usage", `${flag}: '${safeText(text, 80)}' is no address with a port`, { allowed: "like 127.0.0.1:7780 or [::1]:7780" });
}

async function serveApi(
  controller: Controller,
  options: UpOptions,
  { state, listen }: UpWish,
  say: Say,
): Promise<{ rest: RestServer; address: string; token: string | undefined }> {
  const { store, cluster, metrics } = controller;
  const tls = options.apiCert === undefined ? undefined : readTlsFiles(options.apiCert, options.apiKey!);
  const tokens = new ApiTokens(store, { dateMs: Date.now, max: DEFAULT_REST_LIMITS.tokens });
  await ensureAdminToken(tokens, state, { renew: options.newAdminToken === true });
  const rest = await createRestServer({ cluster, store, tokens, metrics, tls, log: (text) => say({ event: "trouble", text }) });
  try {
    const address = await rest.listen(listen);
    return { rest, address, token: tokenIn(state) };
  } catch (error) {
    await rest.close();
    throw error;
  }
}

/** Undefined when somebody has taken the file away. */
function tokenIn(state: string): string | undefined {
  try {
    return readFileSync(join(state, ADMIN_TOKEN_FILE), "utf8").trim();
  } catch {
    return undefined;
  }
}

async function startDaemon(controller: Controller, options: UpOptions, { state, name }: UpWish, say: Say): Promise<HostDaemon> {
  const { startHostDaemon } = await import("@nfactor/host/daemon");
  let connected = (): void => undefined;
  const isThere = new Promise<void>((done) => (connected = done));
  const onEvent = ({ event, deployment, text, packets }: DaemonEvent): void => {
    if (event === "connected") connected();
    else say({ event: "host", host: name, deployment, packets, text: `${deployment ?? name}: ${text}` });
  };
  const daemon = await startHostDaemon({ state: join(state, "host"), way: { path: controller.unix!, name }, ...hostOptions(options), onEvent });
  await isThere;
  return daemon;
}

async function leave(daemon: HostDaemon, { state }: UpWish, say: Say): Promise<void> {
  const left = await daemon.leave();
  if (left.length === 0) return say({ event: "left", deployments: left, text: "nothing runs on this host" });
  const how = `'nfactor up' finds them again; 'nfactor undeploy' ends one, and without a controller 'nfactor host --end --state ${join(state, "host")}' ends all`;
  say({ event: "left", deployments: left, text: `${left.join(", ")} ${left.length === 1 ? "goes" : "go"} on without the controller: ${how}` });
}

/** A context that was there stays the current one; the first one becomes it. */
function remember(name: string, api: string, token: string | undefined, say: Say): void {
  try {
    const { current, contexts } = readContexts();
    const before = contexts[name];
    const known = token ?? (before?.api === api ? before.token : undefined);
    const context = { tenant: FIRST_TENANT, ...before, api };
    delete context.token;
    const next = { ...context, ...(known === undefined ? {} : { token: known }) };
    if (JSON.stringify(next) !== JSON.stringify(before) || current === undefined)
      writeContexts({ current: before === undefined ? name : (current ?? name), contexts: { ...contexts, [name]: next } });
    const isCurrent = before === undefined || (current ?? name) === name;
    say({
      event: "context",
      context: name,
      text: isCurrent ? `context ${name}: the other commands find it` : `context ${name}; the current one is ${current}: 'nfactor context use ${name}'`,
    });
    if (known === undefined) say({ event: "trouble", text: "there is no token in it: use yours, or start with --new-admin-token" });
  } catch (error) {
    // A controller is of use without it, to whoever has a token.
    if (!(error instanceof NfError)) throw error;
    say({ event: "trouble", code: error.code, text: error.message });
  }
}

function whatNext({ host }: UpOptions, { state, name }: UpWish, daemon: HostDaemon | undefined): string {
  const runs = daemon?.all().length ?? 0;
  return [
    `running${host ? `, with this machine as host ${name}` : ""}, from ${state}${runs === 0 ? "" : `; ${runs} deployments go on`}. In another terminal:`,
    "  nfactor status",
    "  nfactor push <folder of an NF>",
    "  nfactor deploy web --chain <nf> --client-iface <name> --server-iface <name>",
    "Ctrl-C ends the controller; deployments go on without it.",
  ].join("\n");
}

/** What the cluster says of itself, until the end. */
async function follow({ cluster }: Controller, say: Say, signal: AbortSignal): Promise<void> {
  try {
    for await (const event of cluster.watchEvents({}, signal)) {
      const { number, at, kind, about, severity } = event;
      say({ event: "cluster", number, at, kind, about, severity, text: eventLine(event) });
    }
  } catch (error) {
    if (!signal.aborted) say({ event: "trouble", text: `events are not shown any more: ${(error as Error).message}` });
  }
}

type Say = (event: { readonly event: string; readonly text: string } & Readonly<Record<string, unknown>>) => void;

/** Hosts and deployments do not wait until somebody has read what is said of them. */
function teller(json: boolean): { readonly say: Say; readonly said: UnwaitedOutput } {
  const lineOf: (...event: Parameters<Say>) => string = ({ text, ...event }) => {
    if (json) return machineText({ at: Date.now(), ...event, text });
    const lines = text.split("\n").map((line) => safeText(line, 2000));
    return `${lines.join("\n")}\n`;
  };
  const lost = (messages: number): string => lineOf({ event: "trouble", text: `${plural(messages, "message")} were dropped here: nobody read them` });
  const said = new UnwaitedOutput(json ? 1 : 2, lost);
  return { said, say: (event) => said.write(lineOf(event)) };
}

/** Resolves at the first signal. Another one ends the process at once: all that has to be remembered is on disk at any time. */
function onSignals(say: Say): Promise<void> {
  return new Promise((done) => {
    let isAsked = false;
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.on(signal, () => {
        if (isAsked) {
          say({ event: "ended", text: "ended at once; deployments go on" });
          process.exit(130);
        }
        isAsked = true;
        done();
      });
  });
}
