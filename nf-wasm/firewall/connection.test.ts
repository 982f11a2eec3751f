// TCP as a firewall has to see it: what belongs to a connection passes, what does not is dropped with the reason that fits.
import { beforeAll, describe, expect, test } from "vitest";
import { type TestChain, fragments, icmpError, loadNf } from "@nfactor/sdk/test";
import { Dialogue, type DialogueOptions } from "./testing/dialogue.ts";

const PASSED = ["FORWARD", "FORWARD", "FORWARD"];
const OUTSIDE = "DROP out_of_window";
const STATE = "DROP tcp_state";
const ESTABLISHED = 4;

let nf: TestChain;
let strict: TestChain;
let lenient: TestChain;
beforeAll(async () => {
  nf = await loadNf(import.meta.dirname);
  strict = await loadNf(import.meta.dirname, { midstream: "drop" });
  lenient = await loadNf(import.meta.dirname, { windows: "ignore" });
});

let port = 1024;
/** A new connection. */
function dialogue(chain: TestChain = nf, options: DialogueOptions = {}): Dialogue {
  return new Dialogue(chain, { client: `10.0.0.1:${port++}`, ...options });
}
/** A connection after its handshake. */
function connected(chain: TestChain = nf, options: DialogueOptions = {}): Dialogue {
  const d = dialogue(chain, options);
  expect(d.shake()).toEqual(PASSED);
  return d;
}

describe("the handshake", () => {
  test("opens the connection", () => {
    expect(connected().flow.state).toMatchObject({ stage: ESTABLISHED, tag: 0, midstream: 0 });
  });

  test("SYN and SYN+ACK may be sent again, and the client may try again with another number", () => {
    const d = dialogue();
    expect([d.client("S"), d.client("S"), d.server("SA", { ack: 1 }), d.server("SA", { ack: 1 }), d.client("S"), d.client("A", { seq: 1, ack: 1 })]).toEqual(
      Array(6).fill("FORWARD"),
    );
    const other = dialogue();
    expect([other.client("S"), other.client("S", { seq: 777_777 }), other.server("SA", { ack: 777_778 })]).toEqual(PASSED);
    expect(other.server("SA", { ack: 1 })).toBe(OUTSIDE);
  });

  test("both sides may open at once", () => {
    const d = dialogue();
    expect([d.client("S"), d.server("S")]).toEqual(["FORWARD", "FORWARD"]);
    expect(d.flow.state).toMatchObject({ stage: 3 });
    expect([d.client("SA", { ack: 1 }), d.server("SA", { ack: 1 }), d.server("A", { seq: 1, ack: 1, length: 10 })]).toEqual(PASSED);
    expect(d.flow.state).toMatchObject({ stage: ESTABLISHED });
    expect(d.client("A", { seq: 1, ack: 500_000 })).toBe(OUTSIDE);
  });

  test("a SYN+ACK or RST has to answer the SYN that was sent", () => {
    const d = dialogue();
    d.client("S");
    expect([d.server("SA", { ack: 2 }), d.server("SA", { ack: 0 }), d.server("RA", { ack: 5000 }), d.server("R")]).toEqual([OUTSIDE, OUTSIDE, OUTSIDE, STATE]);
    expect(d.server("RA", { ack: 1 })).toBe("FORWARD");
    expect(d.flow.state).toMatchObject({ stage: 6 });
  });

  test("data in the SYN (TCP Fast Open) may be acknowledged or not", () => {
    for (const ack of [1, 101]) {
      const d = dialogue();
      expect([d.client("S", { length: 100 }), d.server("SA", { ack }), d.client("A", { seq: ack, ack: 1, length: 100 })]).toEqual(PASSED);
    }
  });

  test("a host that still has an older connection may say so, and is refused", () => {
    const d = dialogue();
    expect([d.client("S"), d.server("A", { seq: 400, ack: 12_345 }), d.client("R", { seq: 12_345 })]).toEqual(PASSED);
    expect([d.client("S"), d.server("SA", { ack: 1 })]).toEqual(["FORWARD", "FORWARD"]);
  });

  test("but not with data, nor with its end", () => {
    const d = dialogue();
    d.client("S");
    expect([d.server("A", { seq: 400, ack: 12_345, length: 1 }), d.server("FA", { seq: 400, ack: 12_345 })]).toEqual([OUTSIDE, OUTSIDE]);
  });

  test("a SYN+ACK that nobody asked for begins nothing anew, whatever it acknowledges", () => {
    for (const ack of [-1000, 5, 500_000]) expect(connected().server("SA", { seq: 77_777, ack })).toBe(OUTSIDE); // the first is number 0 itself
  });
});

describe("windows", () => {
  test("data is limited by what the other side offers", () => {
    const d = connected();
    expect(d.client("A", { seq: 1, ack: 1, length: 1400 })).toBe("FORWARD");
    expect(d.client("A", { seq: 60_000, ack: 1, length: 1 })).toBe("FORWARD");
    expect(d.client("A", { seq: 60_001, ack: 1, length: 1 })).toBe(OUTSIDE);
    expect(d.server("A", { seq: 1, ack: 1401 })).toBe("FORWARD");
    expect(d.client("A", { seq: 60_001, ack: 1, length: 1400 })).toBe("FORWARD");
    expect(d.client("A", { seq: 61_401, ack: 1, length: 1 })).toBe(OUTSIDE);
  });

  test("nothing that was not sent can be acknowledged", () => {
    const d = connected();
    d.client("A", { seq: 1, ack: 1, length: 100 });
    expect(d.server("A", { seq: 1, ack: 102 })).toBe(OUTSIDE);
    expect(d.server("A", { seq: 1, ack: 101 })).toBe("FORWARD");
  });

  test("old data and old acknowledgements are dropped, retransmissions and keep-alives are not", () => {
    const d = connected();
    for (let i = 0; i < 100; i++) {
      d.client("A", { seq: 1 + i * 5000, ack: 1, length: 5000 });
      d.server("A", { seq: 1, ack: 1 + (i + 1) * 5000 });
    }
    expect(d.client("A", { seq: 450_001, ack: 1, length: 5000 })).toBe("FORWARD");
    expect(d.client("A", { seq: 500_000, ack: 1 })).toBe("FORWARD");
    expect(d.client("A", { seq: 100_001, ack: 1, length: 1000 })).toBe(OUTSIDE);
    expect(d.server("A", { seq: 1, ack: 460_000 })).toBe("FORWARD");
    expect(d.server("A", { seq: 1, ack: 100_001 })).toBe(OUTSIDE);
  });

  test("they are scaled when both sides say so, whatever other options there are", () => {
    const d = dialogue();
    expect(d.client("S", { scale: 7, plainOptions: true })).toBe("FORWARD");
    expect(d.server("SA", { ack: 1, window: 1000, scale: 2, plainOptions: true })).toBe("FORWARD");
    expect(d.client("A", { seq: 1, ack: 1, window: 500 })).toBe("FORWARD");
    expect(d.flow.state).toMatchObject({ scale: [7, 2] });
    expect(d.client("A", { seq: 1, ack: 1, length: 1001, window: 500 })).toBe(OUTSIDE); // the window of a SYN is not scaled
    expect(d.server("A", { seq: 1, ack: 1, window: 1000 })).toBe("FORWARD");
    expect(d.client("A", { seq: 1, ack: 1, length: 4000, window: 500 })).toBe("FORWARD");
    expect(d.client("A", { seq: 4001, ack: 1, length: 1, window: 500 })).toBe(OUTSIDE);
    expect(d.server("A", { seq: 63_999, ack: 1, length: 2 })).toBe("FORWARD"); // 500 × 128
    expect(d.server("A", { seq: 64_001, ack: 1, length: 1 })).toBe(OUTSIDE);
  });

  test("a scale that only one side sends does not count", () => {
    const d = dialogue();
    d.client("S", { scale: 7 });
    d.server("SA", { ack: 1, window: 1000 });
    d.client("A", { seq: 1, ack: 1, window: 500 });
    expect(d.flow.state).toMatchObject({ scale: [0, 0] });
    expect(d.client("A", { seq: 1, ack: 1, length: 1001 })).toBe(OUTSIDE);
  });

  test("numbers run over the end of 32 bits", () => {
    const d = connected(nf, { clientStart: 0xffff_ff00, serverStart: 0xffff_fff0 });
    for (let i = 0; i < 8; i++) {
      expect(d.client("A", { seq: 1 + i * 100, ack: 1 + i * 50, length: 100 })).toBe("FORWARD");
      expect(d.server("A", { seq: 1 + i * 50, ack: 101 + i * 100, length: 50 })).toBe("FORWARD");
    }
    expect(d.client("A", { seq: 70_000, ack: 401 })).toBe(OUTSIDE);
  });

  test("a closed window takes a probe of one byte", () => {
    const d = connected();
    expect(d.server("A", { seq: 1, ack: 1, window: 0 })).toBe("FORWARD");
    d.client("A", { seq: 1, ack: 1, length: 1000 });
    d.client("A", { seq: 59_001, ack: 1, length: 1000 });
    expect(d.server("A", { seq: 1, ack: 60_001, window: 0 })).toBe("FORWARD");
    expect(d.client("A", { seq: 60_001, ack: 1, length: 1 })).toBe("FORWARD");
    expect(d.client("A", { seq: 60_002, ack: 1, length: 1 })).toBe(OUTSIDE);
  });

  test("`windows: ignore` lets all of that pass, and keeps to flags", () => {
    const d = connected(lenient);
    expect(d.client("A", { seq: 1_000_000, ack: 700_000, length: 100 })).toBe("FORWARD");
    expect(d.client("SF", { seq: 1 })).toBe("DROP tcp_flags");
  });
});

describe("the end", () => {
  test("FIN from both sides, with data behind the first", () => {
    const d = connected();
    expect(d.client("FA", { seq: 1, ack: 1, length: 10 })).toBe("FORWARD");
    expect(d.flow.state).toMatchObject({ stage: 5, fins: 1 });
    expect(d.client("A", { seq: 12, ack: 1, length: 5 })).toBe(STATE);
    expect(d.client("FA", { seq: 1, ack: 1, length: 10 })).toBe("FORWARD");
    expect(d.server("A", { seq: 1, ack: 12, length: 500 })).toBe("FORWARD");
    expect(d.server("FA", { seq: 501, ack: 12 })).toBe("FORWARD");
    expect(d.client("A", { seq: 12, ack: 502 })).toBe("FORWARD");
    expect(d.flow.state).toMatchObject({ fins: 3 });
  });

  test("a RST counts only inside the window", () => {
    const d = connected();
    d.server("A", { seq: 1, ack: 1, length: 1000 });
    d.client("A", { seq: 1, ack: 1001 });
    expect([d.server("R", { seq: 900 }), d.server("R", { seq: 61_002 }), d.server("R", { seq: 2 ** 31 })]).toEqual([OUTSIDE, OUTSIDE, OUTSIDE]);
    expect(d.flow.state).toMatchObject({ stage: ESTABLISHED });
    expect(d.server("R", { seq: 1001 })).toBe("FORWARD");
    expect(d.flow.state).toMatchObject({ stage: 6 });
  });

  test("after the end the same ports begin a new connection", () => {
    const d = connected();
    d.client("FA", { seq: 1, ack: 1 });
    d.server("FA", { seq: 1, ack: 2 });
    expect([d.client("S", { seq: 5_000_000 }), d.server("SA", { seq: 90, ack: 5_000_001 }), d.client("A", { seq: 5_000_001, ack: 91 })]).toEqual(PASSED);
    expect(d.flow.state).toMatchObject({ stage: ESTABLISHED, fins: 0 });
  });
});

describe("a side that forgot", () => {
  test("a SYN on a connection: the other side says no, and the connection goes on or is reset", () => {
    const d = connected();
    expect(d.client("S", { seq: 9_000_000 })).toBe("FORWARD");
    expect(d.server("A", { seq: 1, ack: 1 })).toBe("FORWARD");
    expect(d.client("A", { seq: 1, ack: 1, length: 10 })).toBe("FORWARD");
    expect(d.client("R", { seq: 11 })).toBe("FORWARD");
  });

  test("or it accepts: from then on the new numbers count", () => {
    const d = connected();
    d.client("S", { seq: 9_000_000 });
    expect(d.server("SA", { seq: 4_000_000, ack: 9_000_002 })).toBe(OUTSIDE);
    expect(d.server("SA", { seq: 4_000_000, ack: 9_000_001 })).toBe("FORWARD");
    expect(d.client("A", { seq: 9_000_001, ack: 4_000_001, length: 10 })).toBe("FORWARD");
    expect(d.client("A", { seq: 2 ** 31 + 9_000_001, ack: 4_000_001, length: 10 })).toBe(OUTSIDE);
  });
});

describe("a connection whose beginning was not seen", () => {
  test("is taken up, and still told from what is not of it", () => {
    const d = dialogue();
    expect(d.server("A", { seq: 70_000, ack: 3_000_000, length: 1400, window: 10 })).toBe("FORWARD");
    expect(d.client("A", { seq: 3_000_000, ack: 71_400, length: 1400, window: 10 })).toBe("FORWARD");
    expect(d.client("A", { seq: 3_900_000, ack: 71_400, length: 1400, window: 10 })).toBe("FORWARD"); // the scale is not known
    expect(d.client("A", { seq: 2 ** 31, ack: 71_400, window: 10 })).toBe(OUTSIDE);
    expect(d.client("FA", { seq: 3_901_400, ack: 71_400, window: 10 })).toBe("FORWARD");
    expect(d.flow.state).toMatchObject({ midstream: 1, tag: 0 });
  });

  test("the same with only one side's packets, or a handshake of which the SYN+ACK is missing", () => {
    const d = dialogue();
    expect(["S", "A", "PA"].map((flags, i) => d.client(flags, { seq: Math.min(i, 1), ack: 1 }))).toEqual(PASSED);
    for (let i = 0; i < 4; i++) expect(d.client("PA", { seq: 2 + i * 2 ** 29, ack: 300_000 * i, length: 1400 })).toBe("FORWARD");
    expect(d.flow.state).toMatchObject({ stage: 7 });
    expect(d.server("A", { seq: 2 ** 31, ack: 2 })).toBe(OUTSIDE);
  });

  test("`midstream: drop` waits for a SYN, from either side", () => {
    const d = dialogue(strict);
    expect([d.client("A", { seq: 1, ack: 1 }), d.server("SA", { ack: 1 }), d.client("R")]).toEqual([STATE, STATE, STATE]);
    expect([d.server("S"), d.client("SA", { ack: 1 }), d.server("A", { seq: 1, ack: 1 })]).toEqual(PASSED);
    const lost = dialogue(strict);
    expect([lost.client("S"), lost.client("A", { seq: 1, ack: 1 })]).toEqual(["FORWARD", STATE]);
  });
});

test.each(["", "F", "P", "U", "SF", "SR", "FR", "SFRPAU", "FPU", "RFA"])("impossible flags: '%s'", (flags) => {
  const d = connected();
  expect(d.client(flags, { seq: 1, ack: 1 })).toBe("DROP tcp_flags");
});

test("ICMP errors pass if they quote what was sent", () => {
  const d = connected();
  const sent = d.frame(0, "A", { seq: 1, ack: 1, length: 1400 });
  nf.send(sent);
  expect(String(nf.sendOne(icmpError(sent, { type: 3, code: 4 }), { port: "server" }))).toBe("FORWARD");
  expect(String(nf.sendOne(icmpError(d.frame(0, "A", { seq: 5000, ack: 1, length: 1400 })), { port: "server" }))).toBe(OUTSIDE);
  expect(String(nf.sendOne(icmpError(d.frame(1, "A", { seq: 1, ack: 1 }))))).toBe("FORWARD");
});

test("a segment in fragments, and the acknowledgement of all of it", () => {
  const d = connected();
  const parts = fragments(d.frame(0, "A", { seq: 1, ack: 1, length: 3000 }), 1000);
  expect(nf.send(parts).map(String)).toEqual(parts.map(() => "FORWARD"));
  expect(d.server("A", { seq: 1, ack: 3001 })).toBe("FORWARD");
  expect(d.client("A", { seq: 3001, ack: 1, length: 100 })).toBe("FORWARD");
});
