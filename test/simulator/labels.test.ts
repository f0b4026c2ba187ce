import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Item, Label } from '../../services/simulator/item.ts';
import type { ScenarioOptions } from '../../services/simulator/scenario.ts';
import { accountInLinks, parseBody, scenarioOf } from './fixtures.ts';

const hourMs = 3_600_000;

/** What the bodies alone say: per account, the most distinct servers within an hour, and those after its creation. */
function readBursts(items: Item[]) {
  const createdMs = new Map<string, number>();
  const creations = new Map<string, { name: string; atMs: number }[]>();
  for (const item of items) {
    const body = parseBody(item);
    if (item.event === 'Account.Created') createdMs.set(body.accountAlias, item.atMs);
    if (item.event !== 'Server.Created') continue;
    const account = accountInLinks(body);
    creations.set(account, [...(creations.get(account) ?? []), { name: body.name, atMs: item.atMs }]);
  }
  const distinct = (account: string, from: number) =>
    new Set(
      (creations.get(account) ?? [])
        .filter(({ atMs }) => atMs >= from && atMs <= from + hourMs)
        .map(({ name }) => name),
    ).size;
  return {
    told: (account: string) => creations.get(account)?.length ?? 0,
    servers: (account: string) => distinct(account, 0),
    isNew: (account: string) => createdMs.has(account),
    /** As the rule sees it. */
    detected: (threshold: number) =>
      [...createdMs].filter(([account, from]) => distinct(account, from) >= threshold).map(([account]) => account),
  };
}

function accountOf(items: Item[], label: Label): string {
  return items.find((item) => item.label === label)!.account;
}

/** Runs long enough to hold every play. */
const runs: fc.Arbitrary<Partial<ScenarioOptions>> = fc
  .record({
    seed: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    rate: fc.integer({ min: 5, max: 60 }),
    seconds: fc.integer({ min: 10, max: 90 }),
  })
  .filter(({ rate, seconds }) => rate * seconds >= 200);

const properties = { numRuns: 25 };

describe('for any seed', () => {
  test('the fraud is the only account that the rule can find', () => {
    fc.assert(
      fc.property(runs, (run) => {
        const items = scenarioOf(run);
        expect(readBursts(items).detected(5)).toEqual([accountOf(items, 'fraud')]);
      }),
      properties,
    );
  });

  test('the fraud is 8 servers in an account created in the first third', () => {
    fc.assert(
      fc.property(runs, (run) => {
        const items = scenarioOf(run);
        const fraud = items.filter(({ label }) => label === 'fraud');
        expect(fraud[0]!.event).toBe('Account.Created');
        expect(fraud[0]!.atMs).toBeLessThan((run.seconds! * 1_000) / 3);
        expect(readBursts(items).servers(fraud[0]!.account)).toBe(8);
      }),
      properties,
    );
  });

  test('the near misses lack just one thing each', () => {
    fc.assert(
      fc.property(runs, (run) => {
        const items = scenarioOf(run);
        const bursts = readBursts(items);
        const [few, old, one, repeats] = (['few-servers', 'old-account', 'one-server', 'repeats'] as const).map(
          (name) => accountOf(items, `near-miss:${name}`),
        ) as [string, string, string, string];

        expect(bursts.isNew(few)).toBe(true);
        expect(bursts.servers(few)).toBe(3);

        expect(bursts.isNew(old)).toBe(false);
        expect(bursts.servers(old)).toBeGreaterThanOrEqual(5);

        expect(bursts.isNew(one)).toBe(true);
        expect(bursts.servers(one)).toBe(1);
        const changes = items.filter(({ account, event }) => account === one && event === 'Server.Updated');
        expect(changes.length).toBeGreaterThanOrEqual(5);

        expect(bursts.isNew(repeats)).toBe(true);
        expect(bursts.servers(repeats)).toBe(1);
        expect(bursts.told(repeats)).toBeGreaterThanOrEqual(5);
        const bodies = items
          .filter(({ account, event }) => account === repeats && event === 'Server.Created')
          .map(({ body }) => body.toString());
        expect(new Set(bodies).size).toBe(1);
      }),
      properties,
    );
  });
});

test.each([
  { detectionServers: 3, fraudServers: 3 },
  { detectionServers: 5, fraudServers: 20 },
  { detectionServers: 12, fraudServers: undefined },
])('fits a rule of $detectionServers servers', ({ detectionServers, fraudServers }) => {
  const items = scenarioOf({ detectionServers, ...(fraudServers && { fraudServers }) });
  const bursts = readBursts(items);
  const account = accountOf(items, 'fraud');
  expect(bursts.detected(detectionServers)).toEqual([account]);
  expect(bursts.servers(account)).toBe(fraudServers ?? 15);
});

test('in a run of minutes the burst takes a minute or two', () => {
  const fraud = scenarioOf({ rate: 5, seconds: 900 }).filter(
    ({ label, event }) => label === 'fraud' && event === 'Server.Created',
  );
  const burstMs = fraud.at(-1)!.atMs - fraud[0]!.atMs;
  expect(burstMs).toBeGreaterThan(30_000);
  expect(burstMs).toBeLessThan(300_000);
});
