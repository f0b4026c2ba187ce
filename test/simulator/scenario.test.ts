import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { centurylinkEvents } from '../../services/core/providers/centurylink/event-names.ts';
import type { Item } from '../../services/simulator/item.ts';
import { runTagOf } from '../../services/simulator/scenario.ts';
import { parseBody, scenarioOf, startMs } from './fixtures.ts';

function fingerprint(items: Item[]): string {
  const hash = createHash('sha256');
  for (const { atMs, event, account, subject, body, label } of items) {
    hash.update(`${atMs} ${event} ${account} ${subject} ${label} `).update(body);
  }
  return hash.digest('hex');
}

describe('determinism', () => {
  test('the same seed and start give the same bytes', () => {
    expect(fingerprint(scenarioOf())).toBe(fingerprint(scenarioOf()));
  });

  test('nothing depends on when it is consumed', () => {
    const [first, second] = [scenarioOf({ seconds: 10 }), scenarioOf({ seconds: 10, seed: 2 })];
    expect(fingerprint(scenarioOf({ seconds: 10 }))).toBe(fingerprint(first));
    expect(fingerprint(second)).not.toBe(fingerprint(first));
  });

  test('another second gives the same life under other names', () => {
    const [first, second] = [scenarioOf(), scenarioOf({ startMs: startMs + 1_000 })];
    expect(second.map(({ event }) => event)).toEqual(first.map(({ event }) => event));
    const subjects = new Set(first.map(({ subject }) => subject));
    expect(second.filter(({ subject }) => subjects.has(subject))).toEqual([]);
  });
});

describe('run tag', () => {
  test('tells seeds and seconds apart, not milliseconds', () => {
    const seeds = [0, 1, 2, 3, 1_000, 2 ** 32 - 1];
    const tags = seeds.flatMap((seed) => [0, 1_000, 2_000, 60_000].map((later) => runTagOf(seed, startMs + later)));
    expect(new Set(tags).size).toBe(tags.length);
    expect(tags.every((tag) => /^R[0-9A-Z]{5}$/.test(tag))).toBe(true);
    expect(runTagOf(1, startMs + 999)).toBe(runTagOf(1, startMs));
  });

  test('stands in every account and every body', () => {
    const tag = runTagOf(1, startMs);
    const without = scenarioOf().filter(
      ({ account, body }) => !account.startsWith(tag) || !body.toString().toUpperCase().includes(tag),
    );
    expect(without).toEqual([]);
  });
});

describe('pace', () => {
  test.each([
    { rate: 50, seconds: 60, count: 3_000 },
    { rate: 0.5, seconds: 60, count: 30 },
    { rate: 1_000, seconds: 2, count: 2_000 },
  ])('$rate/s for $seconds s', ({ rate, seconds, count }) => {
    const items = scenarioOf({ rate, seconds });
    expect(items).toHaveLength(count);
    for (const [index, { atMs }] of items.entries()) {
      // Each in a slot of its own.
      expect(atMs).toBeGreaterThanOrEqual(Math.floor((index * 1_000) / rate));
      expect(atMs).toBeLessThanOrEqual(((index + 1) * 1_000) / rate);
    }
  });

  test('the first second shows all four kinds, and the run all ten events', () => {
    const items = scenarioOf();
    const kinds = items.filter(({ atMs }) => atMs < 1_000).map(({ event }) => event.split('.')[0]);
    expect(new Set(kinds)).toEqual(new Set(['Account', 'User', 'Server', 'Alert']));
    expect(new Set(items.map(({ event }) => event))).toEqual(new Set(centurylinkEvents));
  });

  test('most are changes of servers', () => {
    const items = scenarioOf();
    const changes = items.filter(({ event }) => event === 'Server.Updated');
    expect(changes.length / items.length).toBeGreaterThan(0.6);
  });
});

describe('accounts', () => {
  test('an account is told of before its users and servers, and its parent before it', () => {
    const known = new Set(['NWND']);
    for (const item of scenarioOf()) {
      if (item.event.startsWith('Account.')) {
        expect(known).toContain(parseBody(item).parentAlias);
        known.add(item.account);
      }
      expect(known).toContain(item.account);
    }
  });

  test('some belong to another sub-account', () => {
    const parents = scenarioOf()
      .filter(({ event }) => event === 'Account.Updated')
      .map((item) => parseBody(item).parentAlias);
    expect(new Set(parents).size).toBeGreaterThan(1);
  });

  test('nothing is said of a server after it was deleted', () => {
    const gone = new Set<string>();
    for (const { event, subject } of scenarioOf()) {
      expect(gone).not.toContain(subject);
      if (event === 'Server.Deleted') gone.add(subject);
    }
    expect(gone.size).toBeGreaterThan(10);
  });
});

test('names and addresses of persons belong to nobody', () => {
  for (const item of scenarioOf().filter(({ event }) => event.startsWith('User.'))) {
    expect(parseBody(item).emailAddress).toMatch(/\.example$/);
  }
});
