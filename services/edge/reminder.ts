/** Whether to say again what lasts: at once, then once per interval. */
export interface Reminder {
  /** True where it is time to say it; then not for another interval. */
  due(): boolean;
}

const intervalMs = 60_000;

export function createReminder(monotonicMs: () => number): Reminder {
  let saidMs = Number.NEGATIVE_INFINITY;
  return {
    due() {
      const nowMs = monotonicMs();
      if (nowMs - saidMs < intervalMs) return false;
      saidMs = nowMs;
      return true;
    },
  };
}
