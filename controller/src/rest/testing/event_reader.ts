/** Reads server-sent events as a browser does, one after the other. */
import { type ClientRequest, type IncomingMessage, request } from "node:http";

export interface ReadEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: Record<string, unknown>;
}

export class EventReader {
  readonly #req: ClientRequest;
  readonly #res: IncomingMessage;
  readonly #source: AsyncIterator<Buffer>;
  #text = "";
  /** Signs of life that were no events. */
  beats = 0;

  private constructor(req: ClientRequest, res: IncomingMessage) {
    this.#req = req;
    this.#res = res;
    this.#source = res[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  static open(url: string, path: string, headers: Readonly<Record<string, string>>, { method = "GET", body = "" } = {}): Promise<EventReader> {
    const { hostname, port } = new URL(url);
    return new Promise((done, fail) => {
      const req = request({ host: hostname, port, path, method, agent: false, headers: { accept: "text/event-stream", ...headers } }, (res) =>
        done(new EventReader(req, res)),
      );
      req.on("error", fail);
      req.end(body);
    });
  }

  get status(): number {
    return this.#res.statusCode!;
  }

  /** Undefined at the end. */
  async next(): Promise<ReadEvent | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end >= 0) {
        const block = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        if (!block.startsWith(":")) return eventOf(block);
        this.beats += 1;
      } else {
        const { done, value } = await this.#source.next();
        if (done) return undefined;
        this.#text += value.toString();
      }
    }
  }

  async take(count: number): Promise<ReadEvent[]> {
    const events: ReadEvent[] = [];
    while (events.length < count) {
      const event = await this.next();
      if (!event) throw new Error(`it ended after ${events.length} of ${count}`);
      events.push(event);
    }
    return events;
  }

  close(): void {
    this.#res.on("error", () => undefined);
    this.#req.on("error", () => undefined);
    this.#req.destroy();
  }
}

function eventOf(block: string): ReadEvent {
  const fields = Object.fromEntries(block.split("\n").map((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)])) as Record<
    string,
    string
  >;
  return { event: fields.event!, id: fields.id, data: JSON.parse(fields.data!) as Record<string, unknown> };
}
