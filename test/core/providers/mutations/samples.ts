/** Bodies of every provider, as its documentation has them or as they were recorded. */
import { readFileSync } from 'node:fs';
import type { JsonObject } from '../../../../services/core/providers/json.ts';

export interface Sample {
  provider: string;
  /** The endpoint's; empty where the body says what it is. */
  event: string;
  /** The endpoint's, as provider:account. */
  account: string;
  body: JsonObject;
}

export function readSamples(): Sample[] {
  return [...centurylink(), ...citrix(), ...backup(), ...standardWebhooks()];
}

function read<T>(file: string): T {
  return JSON.parse(readFileSync(new URL(`../../../recorded/${file}`, import.meta.url), 'utf8'));
}

function centurylink(): Sample[] {
  const servers = Object.values(read<Record<string, JsonObject[]>>('clc-servers.json'));
  const documented = { Account: 'account', User: 'user', Server: 'server' } as const;
  const lives = Object.entries(documented).flatMap(([entity, file]) => {
    const body = read<JsonObject>(`clc-faq/${file}.json`);
    return [`${entity}.Created`, `${entity}.Updated`, `${entity}.Deleted`, entity].map((event) => ({ event, body }));
  });
  return [
    ...lives,
    { event: 'Alert.Notification', body: read<JsonObject>('clc-faq/alert.json') },
    { event: 'Alert', body: read<JsonObject>('clc-faq/alert.json') },
    { event: 'Server.Deleted', body: { accountAlias: 'DEMO', name: 'WA1DEMOSERVER01' } },
    // The longest histories: created, resized, disks added, stopped.
    ...servers
      .flatMap((snapshots) => snapshots.slice(-1).map((body) => ({ event: 'Server.Updated', body })))
      .slice(0, 20),
  ].map((sample) => ({ provider: 'centurylink', account: 'centurylink:DEMO', ...sample }));
}

function citrix(): Sample[] {
  const [notification, ...logons] = read<[JsonObject, ...JsonObject[]]>('citrix-callbacks-2018.json');
  const location = { id: 'r-1', name: 'Munich', zone: { id: 'z', connectors: ['a', 'b'] }, timeZone: 'CET' };
  const update = {
    ...notification,
    Type: 'ResourceLocation',
    ChangeType: 'Update',
    BeforeChange: JSON.stringify(location),
    AfterChange: JSON.stringify({ ...location, name: 'Berlin', zone: { id: 'z', connectors: ['a'] } }),
  };
  const bodies = [notification, ...logons, update];
  return bodies.map((body) => ({ provider: 'citrix', event: '', account: 'citrix:acme', body }));
}

function backup(): Sample[] {
  const bodies = [...read<JsonObject[]>('simple-backup-2018.json'), ...read<JsonObject[]>('simple-backup-2019.json')];
  return bodies.map((body) => ({ provider: 'backup', event: '', account: 'backup:TEST', body }));
}

function standardWebhooks(): Sample[] {
  const body = {
    type: 'contact.created',
    timestamp: '2026-01-05T09:00:00.344522Z',
    data: { id: '1f81eb52', tags: ['a'] },
  };
  return [{ provider: 'standard-webhooks', event: '', account: 'standard-webhooks:shop', body }];
}
