/**
 * A connection as messages: frames in and out, and a bound on what waits to go out. Whoever takes nothing while asking for more is cut off; streams wait
 * before that (`isCongested`).
 */
import type { Duplex } from "node:stream";
import { NfError } from "@nfactor/sdk/errors";
import type { Clock } from "../clock/clock.ts";
import { type FrameFormat, FrameReader, frameOf, messageOf } from "../rpc/frame.ts";
import { errorJson } from "../rpc/protocol.ts";

/** Above this, what can wait does. */
const CONGESTED_BYTES = 256 * 1024;
/** Above this, the connection ends: two of the longest frames and all that is short. */
const QUEUED_BYTES_MAX = 12 << 20;
/** What a message that waits costs besides its bytes: half a million short ones would keep this thread for seconds when they are let go. */
const MESSAGE_BYTES = 512;
/** So long the last message has to go out. */
const LINGER_MS = 1000;

export interface WireListener {
  message(message: unknown): void;
  /** What waited may go on. */
  drained(): void;
  /** Once; nothing comes after it. */
  ended(why: NfError): void;
}

/** Hears of all messages of a connection, for a log; `bytes` are those of the frame. */
export interface Tap {
  sent(message: unknown, bytes: number): void;
  received(message: unknown, bytes: number): void;
  ended(why: NfError): void;
}

export class Wire {
  tap: Tap | undefined;
  readonly #socket: Duplex;
  readonly #clock: Clock;
  readonly #reader: FrameReader;
  #listener: WireListener | undefined;
  #end: NfError | undefined;
  #isCorked = false;
  /** Messages since nothing waited. */
  #waiting = 0;

  constructor(socket: Duplex, format: FrameFormat, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    this.#reader = new FrameReader(format);
    socket.pause();
    socket.on("error", (cause: Error) => this.#over(closed(`the connection failed: ${cause.message}`, cause)));
    socket.on("end", () => this.#over(closed("the other side has closed the connection")));
    socket.on("close", () => this.#over(closed("the connection was closed")));
    socket.on("drain", () => this.#listener?.drained());
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
  }

  /** Begins to read. An end that has come already is told at once. */
  listen(listener: WireListener): void {
    this.#listener = listener;
    if (this.#end) listener.ended(this.#end);
    else this.#socket.resume();
  }

  /** From the next frame on. */
  set format(format: FrameFormat) {
    this.#reader.format = format;
  }

  /** Why it has ended, if it has. */
  get end(): NfError | undefined {
    return this.#end;
  }

  get isCongested(): boolean {
    return this.#socket.writableLength > CONGESTED_BYTES;
  }

  /** Throws NfError (rpc.frame) when it is too much for a frame. Into a connection that has ended it goes without a word. */
  send(message: unknown): void {
    this.sendFrame(frameOf(message, this.#reader.format));
  }

  sendFrame(frame: Buffer): void {
    if (this.#end) return;
    if (!this.#isCorked) {
      // What is said within one turn goes out in one piece.
      this.#isCorked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#isCorked = false;
        this.#socket.uncork();
      });
    }
    this.#waiting = this.#socket.writableLength === 0 ? 1 : this.#waiting + 1;
    this.#socket.write(frame);
    this.tap?.sent(messageOf(frame), frame.length);
    const queued = this.#socket.writableLength + this.#waiting * MESSAGE_BYTES;
    if (queued > QUEUED_BYTES_MAX)
      this.destroy(
        new NfError("rpc.slow", "the other side takes nothing", {
          given: `${this.#socket.writableLength} bytes in ${this.#waiting} messages wait for it`,
          allowed: `${QUEUED_BYTES_MAX} bytes, ${MESSAGE_BYTES} more counted for each message`,
        }),
      );
  }

  /** Says a last thing, and ends when it has gone out. */
  close(why: NfError, last: unknown): void {
    if (this.#end) return;
    try {
      this.send(last);
    } catch {
      // Too long for a connection that has only begun: then without the reason.
      this.send({ t: "bye" });
    }
    // Nothing is to wait for the next turn.
    if (this.#isCorked) this.#socket.uncork();
    this.#isCorked = false;
    this.#socket.end();
    this.#over(why, LINGER_MS);
  }

  destroy(why: NfError): void {
    this.#over(why);
  }

  #take(chunk: Buffer): void {
    if (this.#end) return;
    try {
      for (const message of this.#reader.frames(chunk)) {
        if (this.#end) return;
        this.tap?.received(message, this.#reader.lastBytes);
        this.#listener!.message(message);
      }
    } catch (error) {
      if (!(error instanceof NfError)) throw error;
      this.close(error, { t: "bye", error: errorJson(error) });
    }
  }

  #over(why: NfError, lingerMs = 0): void {
    if (this.#end) return;
    this.#end = why;
    if (lingerMs > 0) {
      // Bytes left unread would have the other end reset, and not read the last message either.
      this.#socket.resume();
      const cancel = this.#clock.after(lingerMs, () => this.#socket.destroy());
      this.#socket.once("close", cancel);
    } else this.#socket.destroy();
    this.tap?.ended(why);
    this.#listener?.ended(why);
  }
}

function closed(text: string, cause?: Error): NfError {
  return new NfError("rpc.closed", text, { cause, fix: "Ask again; what changes something, under the same key." });
}
