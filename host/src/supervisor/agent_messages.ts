/**
 * What a supervisor and an agent on another machine say to each other (host/src/agent/README.md): JSON lines over TLS, each checked against these schemas.
 * The first line of a connection says what it is for, and the first line of the answer whether it may be.
 */
import { z } from "zod";
import { checkName } from "../rpc/socket_path.ts";

export const AGENT_VERSION = 1;
export const HELLO_BYTES_MAX = 4096;
/** A report of all lives, each with the end of its log. */
export const AGENT_LINE_BYTES_MAX = 1 << 20;
export const FILE_BYTES_MAX = 64 << 20;
/** The end of what a process has printed, in the report of its end. */
export const LOG_BYTES_MAX = 16_384;
/** A supervisor asks for a report this often, and whoever hears nothing for so long gives the connection up. */
export const REPORT_MS = 300;
export const SILENCE_MS = { of_agent: 3_000, of_supervisor: 10_000 } as const;

const life = { member: z.int().min(1).max(15), incarnation: z.int().min(1).max(0xffffffff) };
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const host = z.string().refine((name) => {
  try {
    checkName(name);
    return true;
  } catch {
    return false;
  }
}, "is no name of a host");

/** Read before all else: another version may say anything behind it. */
export const versionSchema = z.object({ v: z.int() });
/** `tenancy` names the run of a tenant, so that processes of another run under the same name are not taken for one's own. */
const hello = { v: z.literal(AGENT_VERSION), host, tenancy: sha256 };
export const helloSchema = z.discriminatedUnion("for", [
  /** Orders and reports, until it closes: one at a time for each tenant, the last one has it. */
  z.object({ ...hello, for: z.literal("orders") }),
  /** Behind the answer, what the member's own control socket says and hears. */
  z.object({ ...hello, for: z.literal("member"), ...life }),
  /** Behind an answer with `send`, so many bytes; then a second answer. */
  z.object({ ...hello, for: z.literal("file"), sha256, bytes: z.int().min(0).max(FILE_BYTES_MAX) }),
]);
export type Hello = z.output<typeof helloSchema>;
/** `v` and whose it is are added by whoever sends it. */
export type Purpose = { for: "orders" } | { for: "member"; member: number; incarnation: number } | { for: "file"; sha256: string; bytes: number };

const problem = z.object({ code: z.string().max(64), message: z.string().max(LOG_BYTES_MAX) });

const lifeReport = z.object({
  ...life,
  pid: z.int().min(0),
  isAlive: z.boolean(),
  /** Of one that has ended: how, and the end of its log. */
  how: z.string().max(200),
  log: z.string().max(2 * LOG_BYTES_MAX),
  /** Its counter file in base64; empty while there is none. */
  counters: z.string().max(16_384),
});
export type LifeReport = z.output<typeof lifeReport>;

/** What an agent says to the first line of each kind of connection. */
export const GREETINGS = {
  orders: z.object({ iface: z.string().min(1).max(15), mtu: z.int().min(0) }),
  member: z.object({}),
  file: z.object({ send: z.boolean() }),
} as const;
export type Greeting<P extends keyof typeof GREETINGS> = z.output<(typeof GREETINGS)[P]>;

export const ORDERS = {
  /** All lives that have not been forgotten. */
  report: { fields: z.object({}), answer: z.object({ lives: z.array(lifeReport).max(64) }) },
  /** A module is made native here, and its configuration is put beside it; both have been sent before. Paths on the agent's machine. */
  prepare: { fields: z.object({ core: sha256, config: sha256 }), answer: z.object({ native: z.string(), config: z.string() }) },
  /** `spec` lacks what the agent knows: sockets, files and the link's interface. */
  spawn: { fields: z.object({ ...life, spec: z.looseObject({ vswitch: z.looseObject({}) }) }), answer: z.object({ pid: z.int().min(1) }) },
  kill: { fields: z.object(life), answer: z.object({}) },
  /** Of a life that has ended, nothing is kept any more. */
  forget: { fields: z.object(life), answer: z.object({}) },
} as const;
export type Order = keyof typeof ORDERS;
export type OrderFields<O extends Order> = z.input<(typeof ORDERS)[O]["fields"]>;
export type OrderAnswer<O extends Order> = z.output<(typeof ORDERS)[O]["answer"]>;

export const orderSchema = z.looseObject({ id: z.int().min(1), do: z.enum(["report", "prepare", "spawn", "kill", "forget"]) });
export const answerSchema = z.union([z.object({ id: z.int(), ok: z.unknown() }), z.object({ id: z.int(), error: problem })]);
export const greetingSchema = z.union([z.object({ ok: z.unknown() }), z.object({ error: problem })]);
/** A process has ended: the next report has more of it. */
export const agentEventSchema = z.object({ event: z.literal("exited") });
