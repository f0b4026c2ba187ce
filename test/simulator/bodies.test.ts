import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { EventName, Item } from '../../services/simulator/item.ts';
import { accountInLinks, parseBody, scenarioOf, startMs } from './fixtures.ts';

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

const items = scenarioOf();

function readSample(name: string): Json {
  return JSON.parse(readFileSync(new URL(`documented/${name}.json`, import.meta.url), 'utf8'));
}

function bodiesOf(...events: EventName[]) {
  return items.filter(({ event }) => events.includes(event)).map(parseBody);
}

/** Where a value stands → its types. Items of lists share a place; links are told apart by `rel`. */
function collectPaths(value: Json, path: string, paths = new Map<string, Set<string>>()): Map<string, Set<string>> {
  const kind = Array.isArray(value) ? 'list' : typeof value;
  paths.set(path, (paths.get(path) ?? new Set()).add(kind));
  if (Array.isArray(value)) {
    for (const entry of value) collectPaths(entry, `${path}[${relOf(entry)}]`, paths);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, entry] of Object.entries(value)) collectPaths(entry, `${path}.${key}`, paths);
  }
  return paths;
}

function relOf(entry: Json): string {
  return typeof entry === 'object' && entry !== null && !Array.isArray(entry) ? String(entry.rel ?? '') : '';
}

function collectAll(bodies: Json[]): Map<string, Set<string>> {
  const paths = new Map<string, Set<string>>();
  for (const body of bodies) collectPaths(body, '', paths);
  return paths;
}

describe('documented bodies', () => {
  const kinds: { name: string; events: EventName[] }[] = [
    { name: 'account', events: ['Account.Created', 'Account.Updated', 'Account.Deleted'] },
    { name: 'user', events: ['User.Created', 'User.Updated', 'User.Deleted'] },
    { name: 'server', events: ['Server.Created', 'Server.Updated'] },
    { name: 'alert', events: ['Alert.Notification'] },
  ];

  test.each(kinds)('$name: every key of the sample, with its type', ({ name, events }) => {
    const ours = collectAll(bodiesOf(...events));
    for (const [path, types] of collectPaths(readSample(name), '')) {
      expect(ours.get(path), path).toBeDefined();
      expect([...ours.get(path)!], path).toEqual(expect.arrayContaining([...types]));
    }
  });

  test.each(kinds.slice(0, 2))('$name: each body has exactly the keys of the sample', ({ name, events }) => {
    const keys = Object.keys(readSample(name) as object).sort();
    for (const body of bodiesOf(...events)) expect(Object.keys(body).sort()).toEqual(keys);
  });
});

describe('servers', () => {
  const recorded: Record<string, Json[]> = JSON.parse(
    readFileSync(new URL('../recorded/clc-servers.json', import.meta.url), 'utf8'),
  );
  const snapshots = bodiesOf('Server.Created', 'Server.Updated');

  test('no key and no type that neither the samples nor the recordings know', () => {
    const known = collectAll([...Object.values(recorded).flat(), readSample('server')]);
    for (const [path, types] of collectAll(snapshots)) {
      expect(known.get(path), path).toBeDefined();
      expect([...known.get(path)!], path).toEqual(expect.arrayContaining([...types]));
    }
  });

  test('each begins under construction, without details', () => {
    const born = bodiesOf('Server.Created');
    expect(new Set(born.map(({ status }) => status))).toEqual(new Set(['underConstruction']));
    for (const body of born) expect(body).not.toHaveProperty('details');
  });

  test('states and changes of a whole life occur', () => {
    const withDetails = snapshots.filter(({ status }) => status !== 'underConstruction');
    expect(new Set(withDetails.map(({ status }) => status))).toEqual(new Set(['active', 'archived']));
    const details = withDetails.map((body) => body.details);
    const powerStates = details.map(({ powerState }) => powerState);
    expect(new Set(powerStates)).toEqual(new Set(['started', 'stopped', 'paused']));
    expect(new Set(details.map(({ cpu }) => cpu)).size).toBeGreaterThan(3);
    expect(new Set(details.map(({ diskCount }) => diskCount)).size).toBeGreaterThan(2);
    const publicAddresses = details.flatMap(({ ipAddresses }) => ipAddresses).filter((address) => address.public);
    expect(publicAddresses.length).toBeGreaterThan(0);
  });

  test('numbers within a body agree', () => {
    for (const { details } of snapshots.filter(({ status }) => status === 'active')) {
      expect(details.diskCount).toBe(details.disks.length);
      expect(details.storageGB).toBe(
        details.disks.reduce((sum: number, { sizeGB }: { sizeGB: number }) => sum + sizeGB, 0),
      );
    }
  });

  test('the id is lower case, the name upper, and the case of the alias in links varies', () => {
    for (const body of snapshots) {
      expect(body.name).toBe(body.name.toUpperCase());
      expect(body.id).toBe(body.name.toLowerCase());
      expect(body).not.toHaveProperty('accountAlias');
    }
    const spellings = new Set(snapshots.map(({ links }) => links[0].href.split('/')[3]));
    expect([...spellings].some((alias) => alias === alias.toLowerCase())).toBe(true);
    expect([...spellings].some((alias) => alias === alias.toUpperCase())).toBe(true);
  });

  test('the account in the links is the one of the item', () => {
    for (const item of items.filter(({ event }) => event === 'Server.Created' || event === 'Server.Updated')) {
      expect(accountInLinks(parseBody(item))).toBe(item.account);
      expect(parseBody(item).name).toBe(item.subject);
    }
  });

  test('times follow the run and never go back', () => {
    const latest = new Map<string, string>();
    for (const item of items.filter(({ event }) => event === 'Server.Created' || event === 'Server.Updated')) {
      const { name, changeInfo } = parseBody(item);
      expect(changeInfo.createdDate <= changeInfo.modifiedDate).toBe(true);
      expect(changeInfo.modifiedDate >= (latest.get(name) ?? '')).toBe(true);
      latest.set(name, changeInfo.modifiedDate);
      if (item.label === 'near-miss:repeats') continue;
      expect(startMs + item.atMs - Date.parse(changeInfo.modifiedDate)).toBeGreaterThanOrEqual(0);
      expect(startMs + item.atMs - Date.parse(changeInfo.modifiedDate)).toBeLessThan(1_000);
    }
  });

  test('a deletion carries the account and the name, nothing else', () => {
    const deletions = items.filter(({ event }) => event === 'Server.Deleted');
    expect(deletions.length).toBeGreaterThan(0);
    for (const item of deletions) {
      expect(parseBody(item)).toEqual({ accountAlias: item.account, name: item.subject });
    }
  });
});

describe('users', () => {
  test('a new password sends the same body once more', () => {
    const latest = new Map<string, string>();
    let changes = 0;
    for (const { event, subject, body, label } of items.filter(({ event }) => event.startsWith('User.'))) {
      if (label === 'password-change') {
        changes += 1;
        expect(event).toBe('User.Updated');
        expect(body.toString()).toBe(latest.get(subject));
      }
      latest.set(subject, body.toString());
    }
    expect(changes).toBeGreaterThan(5);
  });
});

describe('alerts', () => {
  const alerts = items.filter(({ event }) => event === 'Alert.Notification');
  const triggerOf = (item: Item) => parseBody(item).triggers[0];

  test('an opening has no end, a closing has both times', () => {
    for (const item of alerts) {
      const trigger = triggerOf(item);
      expect(trigger).toMatchObject({ metric: 'cpu', duration: '00:05:00' });
      if (item.label === 'alert-closed') {
        expect(trigger.state).toBe('notTriggered');
        expect(trigger.stateEndTime > trigger.stateStartTime).toBe(true);
        expect(Date.parse(trigger.stateEndTime)).toBeLessThanOrEqual(startMs + item.atMs);
      } else {
        expect(trigger.state).toBe('triggered');
        expect(trigger).not.toHaveProperty('stateEndTime');
        expect(Date.parse(trigger.stateStartTime)).toBeLessThanOrEqual(startMs + item.atMs);
      }
    }
  });

  test('on one server they follow each other, and each closing belongs to the opening before it', () => {
    const open = new Map<string, string>();
    const ended = new Map<string, string>();
    for (const item of alerts) {
      const { stateStartTime, stateEndTime } = triggerOf(item);
      if (item.label === 'alert-closed') {
        expect(open.get(item.subject)).toBe(stateStartTime);
        open.delete(item.subject);
        ended.set(item.subject, stateEndTime);
      } else {
        expect(open.has(item.subject)).toBe(false);
        expect(stateStartTime > (ended.get(item.subject) ?? '')).toBe(true);
        open.set(item.subject, stateStartTime);
      }
    }
    const neverClosed = alerts.filter(({ label }) => label === 'alert-never-closed').map(({ subject }) => subject);
    expect(new Set(open.keys())).toEqual(new Set(neverClosed));
    expect(neverClosed.length).toBeGreaterThan(0);
    expect(neverClosed.length).toBeLessThan(ended.size);
  });
});
