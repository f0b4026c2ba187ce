import { setTimeout as wait } from 'node:timers/promises';
import type { Log } from '../../ports/log/log.ts';

export interface StoredOptions {
  /** The sources of the sinks: `bounds().first` as a sink has it. */
  sources: readonly { name: string; log: Pick<Log, 'bounds'> }[];
  /** Where sinks tell Prometheus how far they have come. */
  metricsUrls: readonly string[];
  /** How long no sink that is behind may move before it is given up. Default 60 000. */
  timeoutMs?: number;
  pollIntervalMs?: number;
  /** Milliseconds, as `performance.now()`. */
  now?: () => number;
}

/** Is told how many outputs are not in ClickHouse yet, each time that it is looked. */
export type OnBehind = (outputs: number) => void;

/** The sinks were not reached, or stand still. A retry may help. */
export class StoredError extends Error {
  readonly code = 'SINK_BEHIND';
}

/** A sink that has nothing to write says only how far it is behind, and looks every other second. */
const settledMs = 5_000;

/** Makes what waits until everything that the sources hold at its call is in ClickHouse, however long that takes. */
export function createStoredWait(options: StoredOptions): (onBehind?: OnBehind) => Promise<void> {
  const { sources, metricsUrls, timeoutMs = 60_000, pollIntervalMs = 200, now = () => performance.now() } = options;
  return async (onBehind = () => {}) => {
    const ends = await Promise.all(sources.map(async ({ name, log }) => ({ name, ...(await log.bounds()) })));
    const pending = ends.filter(({ first, next }) => next > first);
    const startedAt = now();
    let [movedAt, known] = [startedAt, ''];
    for (;;) {
      const gauges = parseGauges(await Promise.all(metricsUrls.map(scrape)));
      const idle = now() - startedAt >= settledMs;
      const behind = pending.filter(({ name, next }) => {
        const position = gauges.position.get(name);
        return position === undefined ? !(idle && gauges.lag.get(name) === 0) : position < next - 1;
      });
      if (behind.length === 0) return;
      const positions = behind.map(({ name }) => `${name} ${gauges.position.get(name)}`).join(', ');
      if (positions !== known) [movedAt, known] = [now(), positions];
      if (now() - movedAt > timeoutMs) {
        const names = behind.map(({ name }) => name).join(', ');
        throw new StoredError(
          `Cannot wait any longer for the sink: it has not stored all of ${names}, and has not moved for ${timeoutMs / 1000} s`,
        );
      }
      onBehind(outputsIn(behind, gauges.position));
      await wait(pollIntervalMs);
    }
  };
}

function outputsIn(
  behind: readonly { name: string; first: number; next: number }[],
  position: ReadonlyMap<string, number>,
): number {
  return behind.reduce((sum, { name, first, next }) => sum + next - 1 - (position.get(name) ?? first - 1), 0);
}

async function scrape(url: string): Promise<string> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    if (answer.ok) return await answer.text();
    throw new Error(`it answered ${answer.status}`);
  } catch (cause) {
    throw new StoredError(`Cannot ask the sink at ${url} how far it is: ${(cause as Error).message}`, { cause });
  }
}

/** By source; where several sinks have had one, the one that came furthest. */
function parseGauges(texts: readonly string[]): Record<'position' | 'lag', Map<string, number>> {
  const gauges = { position: new Map<string, number>(), lag: new Map<string, number>() };
  const line = /^hookwatch_sink_(position|lag)(?:_records)?\{[^}]*source="([^"]*)"[^}]*\} (\S+)$/gm;
  for (const [, name, source = '', value] of texts.join('\n').matchAll(line)) {
    const known = gauges[name as 'position' | 'lag'];
    known.set(source, Math.max(known.get(source) ?? Number.NEGATIVE_INFINITY, Number(value)));
  }
  return gauges;
}
