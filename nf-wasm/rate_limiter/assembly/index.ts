import { NetworkFunction, Packet, Verdict, now } from "@nfactor/sdk";

@config
class Config {
  packetsPerSecond: u32 = 1000;
  burst: u32 = 100;
}
@flowState
class Bucket {
  credit: u64; // packets × 10⁹
  refilledNs: u64;
  dropped: u64;
}

// Instance state: written in configure only, so no warning. From fullNs on, a bucket is full; before, rate × time cannot overflow.
let rate: u64 = 0;
let limit: u64 = 0;
let fullNs: u64 = 0;
const PACKET: u64 = 1_000_000_000;

export class RateLimiter extends NetworkFunction<Bucket, Config> {
  configure(c: Config): void {
    rate = c.packetsPerSecond;
    limit = <u64>c.burst * PACKET;
    fullNs = rate == 0 ? u64.MAX_VALUE : limit / rate + 1;
  }
  open(p: Packet, s: Bucket): void {
    s.credit = limit;
    s.refilledNs = now();
  }

  process(p: Packet, s: Bucket): Verdict {
    const t = now();
    const elapsed = t - s.refilledNs;
    s.credit = elapsed < fullNs ? min<u64>(limit, s.credit + elapsed * rate) : limit;
    s.refilledNs = t;
    if (s.credit < PACKET) {
      s.dropped += 1;
      return p.drop(128);
    }
    s.credit -= PACKET;
    return Verdict.FORWARD;
  }
}
