import { setTimeout as wait } from 'node:timers/promises';
import { type Forwarder, type ForwarderOptions, startForwarder } from './forwarder.ts';
import { createTrouble } from './trouble.ts';

/** A forwarder that is begun anew whenever it fails. */
export type KeptForwarder = Omit<Forwarder, 'failed'>;

const againMs = 10_000;

/**
 * Forwards, and begins anew where that has failed or could not begin, for as long as it takes: whatever is wrong with it,
 * the edge goes on taking deliveries in. Never rejects.
 *
 * @param pauseMs before it is begun anew
 */
export async function keepForwarding(options: ForwarderOptions, pauseMs = againMs): Promise<KeptForwarder> {
  const { journal, metrics, logger } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const trouble = createTrouble(logger, 'Forwarding cannot begin: it is tried again', 'Forwarding has begun');
  let forwarder: Forwarder | undefined;

  async function begin(): Promise<void> {
    try {
      forwarder = await startForwarder(options);
      trouble.end(options);
    } catch (error) {
      trouble.begin(options, error);
      metrics.forwarding.set(0);
      const { first, next } = await journal.bounds().catch(() => ({ first: 0, next: 0 }));
      metrics.unforwardedRecords.set(next - Math.max(first, forwarder?.acknowledged() ?? first));
    }
  }

  async function watch(): Promise<void> {
    while (!signal.aborted) {
      await forwarder?.failed.catch(() => {});
      await wait(pauseMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      await forwarder?.stop(0).catch(() => {});
      await begin();
      // It was ended meanwhile, and did not know of this one.
      if (signal.aborted) await forwarder?.stop(0).catch(() => {});
    }
  }

  await begin();
  void watch();
  return {
    catchingUp: (tenant) => trouble.lasting() !== undefined || (forwarder?.catchingUp(tenant) ?? true),
    covered: () => forwarder?.covered() ?? 0,
    acknowledged: () => forwarder?.acknowledged() ?? 0,
    troubles: () => [trouble.lasting() ?? forwarder?.troubles() ?? []].flat(),
    async stop(deadlineMs) {
      stopping.abort();
      await forwarder?.stop(deadlineMs);
    },
  };
}
