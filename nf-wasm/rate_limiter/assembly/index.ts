import { NetworkFunction, Packet, Verdict, now } from "@nfactor/sdk";

@config
class Config {
  packetsPerSecond: u32 = 1000;
  burst: u32 = 100;
}
@flowState
class Bucket {
  credit: u64;
  refilledNs: u64;
  dropped: u64;
} // credit in packets × 10⁹

let rate: u64 = 0,
  limit: u64 = 0; // instance state: written in configure only, so no warning
const PACKET: u64 = 1_000_000_000;

export class RateLimiter extends NetworkFunction<Bucket, Config> {
  configure(c: Config): void {
    rate = c.packetsPerSecond;
    limit = <u64>c.burst * PACKET;
  }
  open(p: Packet, s: Bucket): void {
    s.credit = limit;
    s.refilledNs = now();
  }

  process(p: Packet, s: Bucket): Verdict {
    const t = now();
    s.credit = min<u64>(limit, s.credit + (t - s.refilledNs) * rate);
    s.refilledNs = t;
    if (s.credit < PACKET) {
      s.dropped += 1;
      return p.drop(128);
    }
    s.credit -= PACKET;
    return Verdict.FORWARD;
  }
}
