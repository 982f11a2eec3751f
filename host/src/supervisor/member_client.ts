/**
 * The control connection to one member's process. Questions are numbered and may be answered in any order; each has a deadline. Anything that is not
 * understood ends the connection, with the reason for everybody who waits.
 */
import { type Socket, connect } from "node:net";
import { NfError } from "@nfactor/sdk/errors";
import { ERROR_CODES, type ErrorCode } from "@nfactor/sdk/error_codes";
import { nativeError } from "../dataplane/native_error.ts";
import { safeText } from "../result/text.ts";
import { LineReader } from "./line_reader.ts";
import { ANSWERS, type Answer, type Asked, type MemberEvent, answerSchema, memberEventSchema, packLine } from "./member_messages.ts";

/** For what a member does between two bursts. */
export const ANSWER_MS = 10_000;
/** Questions that wait for an answer; more is a mistake of ours. */
const WAITING_MAX = 1000;

/** The member has not answered in time: it is alive, and of no use. */
export class MemberTimeout extends NfError {
  constructor(who: string, asked: string, deadlineMs: number) {
    super("host.socket", `${who} has not answered '${asked}' for ${deadlineMs / 1000} s`);
  }
}

export interface MemberClientOptions {
  /** How messages name it: "runtime 2 (pid 4711)". */
  who: string;
  onEvent(event: MemberEvent): void;
  /** Once; `cause` when it was not the other end that closed it. */
  onClose(cause: NfError | undefined): void;
}

interface Waiting {
  asked: Asked;
  done(value: unknown): void;
  fail(error: Error): void;
  timer: NodeJS.Timeout | undefined;
}

export class MemberClient {
  readonly #socket: Socket;
  readonly #options: MemberClientOptions;
  readonly #reader = new LineReader();
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #cause: NfError | undefined;
  #isMisunderstood = false;
  #closed = false;

  constructor(socket: Socket, options: MemberClientOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", (cause: NodeJS.ErrnoException) => {
      // A process that dies with something unread in its socket resets it: that is its end, and the reason for it is known elsewhere.
      if (cause.code === "ECONNRESET" || cause.code === "EPIPE") return;
      this.#cause ??= new NfError("host.socket", `the connection to ${options.who} failed: ${cause.message}`, { cause });
    });
    socket.on("close", () => this.#end());
  }

  /** Connects to the socket of a process that runs already. Rejects with NfError (host.socket). */
  static connect(path: string, options: MemberClientOptions): Promise<MemberClient> {
    return new Promise((done, fail) => {
      const socket = connect(path);
      const refused = (cause: Error): void => fail(new NfError("host.socket", `${options.who} does not answer on ${path}: ${cause.message}`, { cause }));
      socket.once("error", refused);
      socket.once("connect", () => {
        socket.off("error", refused);
        done(new MemberClient(socket, options));
      });
    });
  }

  get isOpen(): boolean {
    return !this.#closed;
  }
  /** It was closed because the other end says what no member would. */
  get isMisunderstood(): boolean {
    return this.#isMisunderstood;
  }

  /** `deadlineMs` infinite: as long as it takes. Rejects with NfError: the member's own, or host.socket; MemberTimeout without an answer in time. */
  ask<A extends Asked>(asked: A, fields: object = {}, deadlineMs = ANSWER_MS): Promise<Answer<A>> {
    const { who } = this.#options;
    if (this.#closed) return Promise.reject(this.#gone(asked));
    if (this.#waiting.size >= WAITING_MAX) return Promise.reject(new Error(`${WAITING_MAX} questions to ${who} wait for an answer`));
    const id = ++this.#lastId;
    return new Promise<Answer<A>>((done, fail) => {
      const timer =
        deadlineMs === Number.POSITIVE_INFINITY
          ? undefined
          : setTimeout(() => {
              this.#waiting.delete(id);
              fail(new MemberTimeout(who, asked, deadlineMs));
            }, deadlineMs);
      this.#waiting.set(id, { asked, done: done as (value: unknown) => void, fail, timer });
      this.#socket.write(packLine({ id, do: asked, ...fields }));
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    try {
      for (const line of this.#reader.push(chunk)) this.#understand(line);
    } catch (error) {
      this.#cause ??= error instanceof NfError ? error : new NfError("internal", String(error), { cause: error });
      this.#isMisunderstood = true;
      this.#socket.destroy();
    }
  }

  #understand(line: string): void {
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch (cause) {
      throw this.#odd(line, "is no JSON", cause);
    }
    if (typeof message !== "object" || message === null) throw this.#odd(line, "is no object");
    if ("event" in message) {
      const event = memberEventSchema.safeParse(message);
      if (!event.success) throw this.#odd(line, issueOf(event.error));
      this.#options.onEvent(event.data);
      return;
    }
    const answer = answerSchema.safeParse(message);
    if (!answer.success) throw this.#odd(line, "is neither an answer nor an event");
    const waiting = this.#waiting.get(answer.data.id);
    // After its deadline nobody waits for it any more.
    if (!waiting) {
      if (answer.data.id > this.#lastId || answer.data.id < 1) throw this.#odd(line, "answers what was not asked");
      return;
    }
    if ("error" in answer.data) {
      this.#settle(answer.data.id, waiting).fail(errorOf(answer.data.error));
      return;
    }
    const ok = ANSWERS[waiting.asked].safeParse(answer.data.ok);
    if (!ok.success) throw this.#odd(line, `as an answer to '${waiting.asked}': ${issueOf(ok.error)}`);
    this.#settle(answer.data.id, waiting).done(ok.data);
  }

  #settle(id: number, waiting: Waiting): Waiting {
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    return waiting;
  }

  #odd(line: string, why: string, cause?: unknown): NfError {
    return new NfError("host.socket", `${this.#options.who} says what is not understood: ${why}`, { given: safeText(line, 200), cause });
  }

  #gone(asked: string): NfError {
    return this.#cause ?? new NfError("host.socket", `${this.#options.who} ended before it answered '${asked}'`);
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const [id, waiting] of this.#waiting) this.#settle(id, waiting).fail(this.#gone(waiting.asked));
    this.#options.onClose(this.#cause);
  }
}

function issueOf(error: { issues: readonly { path: readonly PropertyKey[]; message: string }[] }): string {
  const [issue] = error.issues;
  return issue ? `${issue.path.join(".")} ${issue.message}`.trim() : "malformed";
}

/** A member's error as the project's own; a code that is not known is a fault of ours. */
function errorOf({ code, message }: { code: string; message: string }): NfError {
  return Object.hasOwn(ERROR_CODES, code) ? nativeError(code as ErrorCode, message) : new NfError("internal", `${code}: ${message}`);
}
