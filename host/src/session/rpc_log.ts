/**
 * What a controller and its hosts ask of each other, as lines of JSON in a file, for whoever is on call: who asked what, how long it took, how long the messages
 * were, what came of it. What the contract hides (hidden.ts) is left out, what is long is cut where it says so.
 *
 * Bounded: a line, and the file, which becomes `<file>.1` when it is full. A log that cannot be written ends, with a word, and nothing else does.
 */
import { closeSync, fstatSync, openSync, renameSync, writeSync } from "node:fs";
import { NfError } from "@nfactor/sdk/errors";
import { type Shape, shapeOf, shown } from "../rpc/hidden.ts";
import * as messages from "./messages.ts";
import type { Method, Methods, Peer } from "./method.ts";
import type { Tap } from "./wire.ts";

/** `connected` and `closed` are of a session; `answered` of a request; `begun` and `ended` of a stream, at its first item and its end; `unanswered` of either. */
export interface RpcLine {
  /** When it was over; of `begun`, when it began to come. */
  readonly at: string;
  readonly event: "connected" | "answered" | "begun" | "ended" | "unanswered" | "closed";
  /** Who asked; who connected. */
  readonly from: string;
  readonly to: string;
  readonly method?: string;
  readonly id?: number;
  readonly key?: string;
  readonly deadline_ms?: number;
  readonly duration_ms?: number;
  readonly request?: unknown;
  readonly request_bytes?: number;
  readonly answer?: unknown;
  readonly error?: unknown;
  readonly answer_bytes?: number;
  readonly item?: unknown;
  readonly items?: number;
  readonly item_bytes?: number;
  readonly lost?: number;
  readonly why?: string;
}

export interface RpcLogOptions {
  /** How this side is called. */
  readonly name: string;
  /** What this side asks for, and what it serves. */
  readonly asks: Methods;
  readonly serves: Methods;
  readonly fileBytes?: number;
  readonly onTrouble: (why: NfError) => void;
}

const FILE_BYTES = 64 << 20;
const LINE_BYTES_MAX = 16 << 10;

export class RpcLog {
  readonly #path: string;
  readonly #options: RpcLogOptions;
  readonly #shapes = new Map<Method, Shapes>();
  #file: number | undefined;
  #bytes: number;

  /** Throws NfError (host.permission). */
  constructor(path: string, options: RpcLogOptions) {
    this.#path = path;
    this.#options = options;
    try {
      this.#file = open(path);
      this.#bytes = fstatSync(this.#file).size;
    } catch (cause) {
      throw new NfError("host.permission", `${path} cannot be written: ${(cause as Error).message}`, { cause, fix: "Name a file in a folder of yours." });
    }
  }

  /** For one session. */
  readonly tap = (peer: Peer): Tap => {
    const from = peer.name === "" ? "(a guest)" : peer.name;
    const { name: to } = this.#options;
    this.write({ event: "connected", from, to, why: `${peer.software}${peer.serial === undefined ? "" : `, certificate ${peer.serial}`}` });
    return new SessionLog(this, { own: to, peer: from });
  };

  write(line: Omit<RpcLine, "at">): void {
    if (this.#file === undefined) return;
    const whole = `${JSON.stringify({ at: new Date().toISOString(), ...line })}\n`;
    const text = whole.length <= LINE_BYTES_MAX ? whole : `${JSON.stringify({ at: new Date().toISOString(), ...withoutBodies(line) })}\n`;
    try {
      const limit = this.#options.fileBytes ?? FILE_BYTES;
      if (this.#bytes > 0 && this.#bytes + text.length > limit) {
        closeSync(this.#file);
        this.#file = undefined;
        renameSync(this.#path, `${this.#path}.1`);
        this.#file = open(this.#path);
        this.#bytes = 0;
      }
      this.#bytes += writeSync(this.#file, text);
    } catch (cause) {
      this.close();
      this.#options.onTrouble(new NfError("host.permission", `${this.#path} is written no more: ${(cause as Error).message}`, { cause }));
    }
  }

  shapesOf(asker: Side, name: string): Shapes | undefined {
    const methods = asker === "own" ? this.#options.asks : this.#options.serves;
    const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
    if (!method) return undefined;
    const known = this.#shapes.get(method) ?? {
      request: shapeOf(method.params),
      answer: shapeOf(method.result),
      item: method.kind === "stream" ? shapeOf(method.item) : undefined,
    };
    this.#shapes.set(method, known);
    return known;
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}

type Side = "own" | "peer";

interface Shapes {
  readonly request: Shape;
  readonly answer: Shape;
  readonly item: Shape | undefined;
}

interface Open {
  readonly line: Pick<RpcLine, "from" | "to" | "method" | "id" | "key" | "deadline_ms" | "request" | "request_bytes">;
  readonly shapes: Shapes | undefined;
  readonly beganMs: number;
  items: number;
  itemBytes: number;
  lost: number;
}

class SessionLog implements Tap {
  readonly #log: RpcLog;
  readonly #names: Readonly<Record<Side, string>>;
  /** By who asked. Bounded as sessions are: by what either side takes at once. */
  readonly #open = { own: new Map<number, Open>(), peer: new Map<number, Open>() };

  constructor(log: RpcLog, names: Readonly<Record<Side, string>>) {
    this.#log = log;
    this.#names = names;
  }

  sent(message: unknown, bytes: number): void {
    this.#take("own", "peer", message, bytes);
  }

  received(message: unknown, bytes: number): void {
    this.#take("peer", "own", message, bytes);
  }

  ended(why: NfError): void {
    for (const open of Object.values(this.#open)) {
      for (const one of open.values()) this.#log.write({ event: "unanswered", ...one.line, ...spent(one) });
      open.clear();
    }
    this.#log.write({ event: "closed", from: this.#names.peer, to: this.#names.own, why: `${why.code}: ${why.message}` });
  }

  /** Answers of one side are to requests of the other one. */
  #take(from: Side, to: Side, message: unknown, bytes: number): void {
    const parsed = messages.message.safeParse(message);
    if (!parsed.success) return;
    const { data } = parsed;
    switch (data.t) {
      case "request":
        return this.#begin(from, data, bytes);
      case "item":
        return this.#item(this.#open[to].get(data.id), data.item, bytes);
      case "gap": {
        const open = this.#open[to].get(data.id);
        if (open) open.lost += data.lost;
        return;
      }
      case "result":
        return this.#end(to, data.id, bytes, (open) => ({ answer: shown(data.result, open.shapes?.answer) }));
      case "error":
        return this.#end(to, data.id, bytes, () => ({ error: shown(data.error) }));
    }
  }

  #begin(asker: Side, { id, method, params, key, deadline_ms }: messages.RequestMessage, bytes: number): void {
    const shapes = this.#log.shapesOf(asker, method);
    const request = shapes ? shown(params, shapes.request) : "(no such method)";
    const names = { from: this.#names[asker], to: this.#names[asker === "own" ? "peer" : "own"] };
    const wish = { ...(key === undefined ? {} : { key }), ...(deadline_ms === undefined ? {} : { deadline_ms }) };
    const line = { ...names, method, id, ...wish, request, request_bytes: bytes };
    this.#open[asker].set(id, { line, shapes, beganMs: performance.now(), items: 0, itemBytes: 0, lost: 0 });
  }

  #item(open: Open | undefined, item: unknown, bytes: number): void {
    if (!open) return;
    open.items += 1;
    open.itemBytes += bytes;
    if (open.items > 1) return;
    const example = { item: shown(item, open.shapes?.item), item_bytes: bytes };
    this.#log.write({ event: "begun", ...open.line, ...example, duration_ms: spent(open).duration_ms });
  }

  #end(asker: Side, id: number, bytes: number, outcome: (open: Open) => Pick<RpcLine, "answer" | "error">): void {
    const open = this.#open[asker].get(id);
    if (!open) return;
    this.#open[asker].delete(id);
    const event = open.shapes?.item ? "ended" : "answered";
    this.#log.write({ event, ...open.line, ...outcome(open), answer_bytes: bytes, ...spent(open) });
  }
}

function spent({ beganMs, items, itemBytes, lost, shapes }: Open): Pick<RpcLine, "duration_ms" | "items" | "item_bytes" | "lost"> & { duration_ms: number } {
  const duration_ms = Math.round((performance.now() - beganMs) * 1000) / 1000;
  return { duration_ms, ...(shapes?.item ? { items, item_bytes: itemBytes, ...(lost > 0 ? { lost } : {}) } : {}) };
}

/** It would be too long a line: who has to know more asks the host itself. */
function withoutBodies(line: Omit<RpcLine, "at">): Omit<RpcLine, "at"> {
  const bodies = Object.keys(line).filter((name) => ["request", "answer", "item", "error"].includes(name));
  return { ...line, ...Object.fromEntries(bodies.map((name) => [name, "(left out: it is long)"])) };
}

/** This user's alone. */
function open(path: string): number {
  return openSync(path, "a", 0o600);
}
