/** A token bucket: `perMinute` at once, filled up again evenly over a minute. */
export interface Quota {
  /** Takes one; false when there is none left. */
  take(): boolean;
}

export function createQuota(perMinute: number, monotonicMs: () => number): Quota {
  let tokens = perMinute;
  let filledAtMs = monotonicMs();
  return {
    take() {
      const nowMs = monotonicMs();
      tokens = Math.min(perMinute, tokens + ((nowMs - filledAtMs) * perMinute) / 60_000);
      filledAtMs = nowMs;
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
}
