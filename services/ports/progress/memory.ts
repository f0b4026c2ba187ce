import { createProgressTally, type Progress } from './progress.ts';

/** Progress in memory: for tests, and the measure of what the others must do. */
export function createMemoryProgress(now: () => number = Date.now): Progress {
  const tally = createProgressTally();
  return {
    async publish(progress) {
      tally.add({ ...progress, published_at: now() });
    },
    latest: async (tenant) => tally.latest(tenant),
  };
}
