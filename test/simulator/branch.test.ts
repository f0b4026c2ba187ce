/** What the simulator says will come of a run, against the flow itself. */
import { expect, test } from 'vitest';
import { createLaneWriter } from '../../bench/lane.ts';
import { step } from '../../services/core/flow/flow.ts';
import { createState } from '../../services/core/flow/state.ts';
import { summarize } from '../../services/core/flow/summary.ts';
import { decode } from '../../services/core/records/codec.ts';
import type { EventName, Item } from '../../services/simulator/item.ts';
import { createTally } from '../../services/simulator/tally.ts';
import { newest } from '../core/flow/identity.ts';
import { scenarioOf, startMs } from './fixtures.ts';

const rule = { servers: 5, within_ms: 3_600_000 };
const events: EventName[] = [
  'Server.Created',
  'Server.Updated',
  'Server.Deleted',
  'User.Updated',
  'Alert.Notification',
];
const branch = { alias: 'NWNDEU', events: new Set(events) };
const nameOf = (event: EventName, account: string) =>
  `${account.toLowerCase()}-${event.toLowerCase().replace('.', '-')}`;
const recursive = { provider: 'centurylink', recursive: true };
const endpointOf = (event: EventName, account: string) => ({
  name: nameOf(event, account),
  event,
  account,
  ...recursive,
});
const endpoints = [
  endpointOf('Account.Updated', 'NWND'),
  ...events.flatMap((event) => ['NWND', 'NWNDEU'].map((account) => endpointOf(event, account))),
];

function work(items: readonly Item[]) {
  const writer = createLaneWriter(startMs, 'northwind', { endpoints });
  let tickedMs = 0;
  for (const { atMs, event, body, to } of items) {
    for (; tickedMs + 1_000 <= atMs; tickedMs += 1_000) writer.tick(startMs + tickedMs + 1_000);
    const account = to === 'branch' ? 'NWNDEU' : 'NWND';
    writer.post(event, body, startMs + atMs, { endpoint: nameOf(event, account), account: `centurylink:${account}` });
  }
  for (let minute = 1; minute <= 12; minute++) writer.tick(startMs + tickedMs + minute * 60_000);
  const records = writer.frames.map((frame, position) => ({ position, record: decode(frame) }));
  return step(createState(), records);
}

test.each([1, 2, 3, 4, 5])(
  'a run with a sub-account of its own endpoints and a stranger is foretold: seed %d',
  (seed) => {
    const items = scenarioOf({ seed, seconds: 100, branch, strangers: true });
    const tally = createTally(rule, ['NWND', 'NWNDEU']);
    for (const item of items) tally.add(item, { kind: 'answered', status: 202, id: 'x' });
    const counts = tally.counts();
    const { state, outputs } = work(items);
    const { ledger, losses, rejects } = summarize(state);

    const told = [...counts.events.values()].reduce((sum, count) => sum + count, 0);
    expect(ledger).toMatchObject({
      journaled: items.length,
      events: told + 1,
      twins: counts.twins,
      pending: counts.pending,
    });
    expect(rejects).toEqual([]);
    expect([counts.twins > 20, counts.pending]).toEqual([true, 2]);
    const byType = Map.groupBy(newest(outputs, 'event'), ({ type }) => type);
    for (const [event, count] of counts.events) {
      const isOfBranch = event === 'Account.Updated' ? 1 : 0;
      expect([
        event,
        byType.get(`centurylink.${event.toLowerCase().replace('alert.notification', 'alert.notified')}`)?.length,
      ]).toEqual([event, count + isOfBranch]);
    }
    const lost = [...counts.copies].flatMap(([event, { both, rootOnly, branchOnly }]) => [
      { endpoint: nameOf(event, 'NWND'), other: nameOf(event, 'NWNDEU'), both, alone: branchOnly },
      { endpoint: nameOf(event, 'NWNDEU'), other: nameOf(event, 'NWND'), both, alone: rootOnly },
    ]);
    const byName = (a: { endpoint: string }, b: { endpoint: string }) => (a.endpoint < b.endpoint ? -1 : 1);
    expect(losses.sort(byName)).toEqual(lost.filter(({ both, alone }) => both + alone > 0).sort(byName));
    expect(losses.reduce((sum, { alone }) => sum + alone, 0)).toBeGreaterThan(0);
  },
);
