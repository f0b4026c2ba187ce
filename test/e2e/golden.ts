import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { outputKinds } from '../../services/core/records/codec.ts';
import type { Log } from '../../services/ports/log/log.ts';
import type { Warehouse } from '../../services/ports/warehouse/warehouse.ts';
import { type Pipeline, startPipeline, type Way } from './pipeline.ts';

const recorded = (name: string) => readFileSync(new URL(`../recorded/${name}`, import.meta.url), 'utf8');

/** Which sample is posted as which events: each to every endpoint whose body it shows. */
const samples: [file: string, events: string[]][] = [
  ['account', ['Account.Created', 'Account.Updated', 'Account.Deleted']],
  ['user', ['User.Created', 'User.Updated', 'User.Deleted']],
  ['server', ['Server.Created', 'Server.Updated']],
  ['alert', ['Alert.Notification']],
];

/** Rows as text: bodies and headers that differ from run to run (the key is made anew) are left out or shortened. */
async function rowsOf(pipeline: Pipeline): Promise<string> {
  const rows: Record<string, unknown[]> = {};
  for (const kind of outputKinds) {
    rows[kind] = (await pipeline.rows(kind)).map((row) =>
      'headers' in row ? { ...row, headers: Object.keys(row.headers).sort(), body: `${row.body.length} bytes` } : row,
    );
  }
  return `${JSON.stringify(rows, null, 2)}\n`;
}

/** Compares with a file under test/golden; a missing one is written, and the test fails so that somebody reads it. */
function expectGolden(name: string, actual: string): void {
  const file = new URL(`../golden/${name}.json`, import.meta.url);
  if (!existsSync(file)) {
    writeFileSync(file, actual);
    expect.fail(`test/golden/${name}.json did not exist: it was written from this run. Read it, then run again.`);
  }
  expect(actual).toBe(readFileSync(file, 'utf8'));
}

/** Real input, posted signed, gives exactly the rows that are expected. */
export function goldenSuite(
  name: string,
  openWarehouse: () => Promise<{ warehouse: Warehouse; close(): Promise<void> }>,
  openWay?: (journal: Log) => Promise<Way>,
) {
  async function start(): Promise<Pipeline> {
    const { warehouse, close } = await openWarehouse();
    onTestFinished(close);
    return startPipeline(warehouse, onTestFinished, openWay);
  }

  describe(`real input: ${name}`, () => {
    test.each(samples)("the FAQ's %s sample", async (file, events) => {
      const pipeline = await start();
      for (const event of events) {
        expect((await pipeline.post(event, recorded(`clc-faq/${file}.json`))).status).toBe(202);
      }
      await pipeline.settle();
      expectGolden(`clc-faq-${file}`, await rowsOf(pipeline));
    });

    test('every recorded server history gives an event per snapshot and ends with the last one', async () => {
      const pipeline = await start();
      const histories = Object.values(JSON.parse(recorded('clc-servers.json')) as Record<string, { name: string }[]>);
      const posted: string[] = [];
      for (const snapshots of histories) {
        for (const snapshot of snapshots) {
          const body = JSON.stringify(snapshot);
          posted.push(body);
          expect((await pipeline.post('Server.Updated', body)).status).toBe(202);
        }
        const state = await pipeline.state();
        const { name } = snapshots[0]!;
        expect(state.servers.get('centurylink:ALTD', name)?.data).toBe(JSON.stringify(snapshots.at(-1)));
      }
      await pipeline.settle();
      const events = await pipeline.rows('event');
      expect(events.map(({ data }) => data)).toEqual(posted);
      expect(new Set(events.map(({ account }) => account))).toEqual(new Set(['centurylink:ALTD']));
      expect(await pipeline.rows('reject')).toEqual([]);
      expect(await pipeline.rows('pane')).toEqual([]);
      const firsts = new Set(histories.map(([snapshot]) => snapshot!.name));
      expect(events.filter(({ novelty }) => novelty === 'seen')).toHaveLength(firsts.size);
      expect(events.filter(({ novelty }) => novelty === 'created')).toEqual([]);
    });

    test('servers under construction, without details, are events too', async () => {
      const pipeline = await start();
      const body = {
        id: 'de1altdcttl279',
        name: 'DE1ALTDCTTL279',
        locationId: 'DE1',
        status: 'underConstruction',
        changeInfo: { createdDate: '2026-01-05T09:00:00Z', modifiedDate: '2026-01-05T09:00:00Z' },
        links: [{ rel: 'self', href: '/v2/servers/altd/de1altdcttl279' }],
      };
      await pipeline.post('Server.Created', JSON.stringify(body));
      await pipeline.settle();
      expect(await pipeline.rows('event')).toMatchObject([
        {
          account: 'centurylink:ALTD',
          subject: 'DE1ALTDCTTL279',
          novelty: 'created',
          time_basis: 'provider',
          flags: [],
        },
      ]);
      expect(await pipeline.rows('pane')).toMatchObject([{ account: 'centurylink:ALTD', value: 1, rolling_1h: 1 }]);
    });

    test('the recorded delivery whose body was edited is answered 401 and kept as a reject', async () => {
      const pipeline = await start();
      // The recording shows the lines of the head without their carriage returns; the body stands as it was sent.
      const [head = '', body = ''] = recorded('clc-user-updated-2015.http').split('\n\n');
      const sent = body.slice(0, 212);
      const lines = head.split('\n').slice(1);
      const to = [`POST /in/${pipeline.token('User.Updated')} HTTP/1.1`, 'Host: hooks.example', 'Connection: close'];
      const request = `${[...to, ...lines].join('\r\n')}\r\n\r\n${sent}`;
      const socket = connect(pipeline.port, '127.0.0.1');
      socket.end(request);
      const answer = await text(socket);
      expect(answer).toMatch(/^HTTP\/1\.1 (100 Continue\r\n\r\nHTTP\/1\.1 )?401 /);
      await pipeline.settle();
      expect(await pipeline.rows('event')).toEqual([]);
      expect(await pipeline.rows('reject')).toMatchObject([
        { reason: 'signature mismatch', endpoint: 'user-updated', event_name: 'User.Updated' },
      ]);
      const [delivery] = await pipeline.rows('delivery');
      expect(delivery).toMatchObject({ verdict: 'rejected', verdict_reason: 'signature mismatch', key_id: '' });
      expect(delivery!.body.toString()).toBe(sent);
      expect(delivery!.headers['tier3-rsasha1']).toMatch(/^KA5v2WiDq4sBCRk4uWWcRhhot/);
    });
  });
}
