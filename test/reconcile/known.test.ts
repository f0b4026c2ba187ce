import { Hono } from 'hono';
import { expect, onTestFinished, test } from 'vitest';
import { createState, type EntityState, metaOf } from '../../services/core/flow/state.ts';
import { serve } from '../../services/http.ts';
import { createKnown } from '../../services/reconcile/known.ts';
import { createKnowledge } from '../../services/worker/knowledge.ts';

const account = 'centurylink:ACME';

function entity(subject: string): EntityState {
  return {
    subject,
    data: '',
    modifiedAt: null,
    createdAt: null,
    created: true,
    deleted: false,
    firstReceivedAt: 1,
    lastReceivedAt: 1,
  };
}

/** A worker that has come so far, and knows servers of such names; of no lane where there are none. */
async function startWorker(position: number, names: readonly string[]): Promise<string> {
  const state = createState();
  state.meta.set('', '', { ...metaOf(state), position });
  for (const name of names) state.servers.set(account, name, entity(name));
  const served = await serve(
    createKnowledge(() => (names.length === 0 ? undefined : state)),
    '127.0.0.1',
    0,
  );
  onTestFinished(served.close);
  return served.url;
}

const nobody = 'http://127.0.0.1:9';

test('all of an account is read, page by page', async () => {
  const names = Array.from({ length: 600 }, (_, number) => `S${number}`);
  const known = createKnown('northwind', [await startWorker(1, names)]);
  expect(new Set((await known.all('servers', account)).keys())).toEqual(new Set(names));
  const some = names.filter((_, at) => at % 2 === 0);
  expect([...(await known.these('servers', account, [...some, 'UNKNOWN'])).keys()]).toEqual(some);
  expect(await known.accounts('centurylink')).toEqual({ accounts: [account], pending: [] });
});

test('of several workers the one that has come further knows better; others may be away, or have other lanes', async () => {
  const [behind, ahead, other] = [
    await startWorker(1, ['OLD']),
    await startWorker(2, ['NEW']),
    await startWorker(3, []),
  ];
  const known = createKnown('northwind', [behind, nobody, ahead, other]);
  expect([...(await known.all('servers', account)).keys()]).toEqual(['NEW']);
});

test('a lane that nobody works on, or workers that are away, are said to be', async () => {
  for (const urls of [[await startWorker(1, [])], [nobody], []]) {
    await expect(createKnown('northwind', urls).all('servers', account)).rejects.toMatchObject({
      code: 'LANE_UNREACHABLE',
      retryHelps: true,
    });
  }
});

test('an answer of another shape is none', async () => {
  const app = new Hono().all('*', (c) => c.json({ position: 1, entities: 'all of them' }));
  const served = await serve(app, '127.0.0.1', 0);
  onTestFinished(served.close);
  await expect(createKnown('northwind', [served.url]).all('servers', account)).rejects.toThrow(/Cannot ask lane/);
});
