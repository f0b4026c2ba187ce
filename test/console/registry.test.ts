import { describe, expect, onTestFinished, test } from 'vitest';
import { createConsole } from '../../services/console/console.ts';
import { schemas } from '../../services/core/records/generated.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';

function open(topicPrefix?: string) {
  const console = createConsole({ outputs: createMemoryLog(), ...(topicPrefix && { topicPrefix }) });
  onTestFinished(console.stop);
  return async (path: string, host = 'localhost') => {
    const response = await console.app.request(path, { headers: { Host: host } });
    const type = response.headers.get('Content-Type');
    return { status: response.status, type, body: JSON.parse(await response.text()) };
  };
}

const schemaOf = (kind: string, version = 1) =>
  schemas.find((schema) => schema.kind === kind && schema.version === version)!;
const type = 'application/vnd.schemaregistry.v1+json';

test.each(schemas)('schema $id is that of $kind, as text', async ({ id, schema }) => {
  const { status, type: given, body } = await open()(`/schemas/ids/${id}`);
  expect({ status, given }).toEqual({ status: 200, given: type });
  expect(Object.keys(body)).toEqual(['schema']);
  expect(JSON.parse(body.schema)).toEqual(schema);
});

describe('subjects', () => {
  test('are the topics of the installation', async () => {
    const topics = [
      ...['backups', 'changes', 'checkpoints', 'control', 'coverage', 'deliveries', 'detections', 'episodes', 'events'],
      ...['hierarchy', 'losses', 'panes', 'progress', 'reconciliations', 'records', 'rejects'],
    ];
    expect((await open()('/subjects')).body).toEqual(topics.map((topic) => `hookwatch.${topic}-value`));
    expect((await open('acme.prod')('/subjects')).body).toContain('acme.prod.events-value');
  });

  test.each([
    ['panes', 'pane', '1', 1],
    ['panes', 'pane', 'latest', 1],
    ['events', 'event', '1', 1],
    ['events', 'event', '2', 2],
    ['events', 'event', 'latest', 2],
  ])('of %s, which hold one kind, %s: version %s', async (topic, kind, asked, version) => {
    const { body } = await open()(`/subjects/hookwatch.${topic}-value/versions/${asked}`);
    const { id, schema } = schemaOf(kind, version);
    expect(body).toEqual({ subject: `hookwatch.${topic}-value`, version, id, schema: JSON.stringify(schema) });
  });

  test('one that holds two kinds has the versions of both', async () => {
    const get = open();
    const { body: versions } = await get('/subjects/hookwatch.records-value/versions');
    const found = await Promise.all(
      (versions as number[]).map((version) => get(`/subjects/hookwatch.records-value/versions/${version}`)),
    );
    const held = [schemaOf('delivery'), schemaOf('control'), schemaOf('control', 2)];
    expect(versions).toEqual([1, 2, 3]);
    expect(found.map(({ body }) => body.id)).toEqual(held.map(({ id }) => id));
  });

  test('what clients add to a request changes nothing', async () => {
    const { body } = await open()(`/schemas/ids/${schemaOf('event').id}?fetchMaxId=false&subject=x`);
    expect(body).toHaveProperty('schema');
  });
});

test.each([
  ['/schemas/ids/999', 404, 40403, 'Schema 999 not found.'],
  ['/schemas/ids/x', 404, 40403, 'Schema x not found.'],
  ['/subjects/none/versions', 404, 40401, "Subject 'none' not found."],
  ['/subjects/none/versions/1', 404, 40401, "Subject 'none' not found."],
  ['/subjects/hookwatch.events-value/versions/7', 404, 40402, 'Version 7 not found.'],
  ['/subjects/hookwatch.events-value/versions/0', 422, 42202, expect.stringContaining("'0' is not a valid version id")],
  ['/subjects/hookwatch.events-value/versions/x', 422, 42202, expect.stringContaining("'x' is not a valid version id")],
  ['/subjects/hookwatch.events-value/versions/2147483648', 422, 42202, expect.stringContaining('not a valid')],
])('%s: %i, %i', async (path, status, error_code, message) => {
  expect(await open()(path)).toEqual({ status, type, body: { error_code, message } });
});

test('answers under any host name, and to nothing else', async () => {
  const get = open();
  expect((await get('/subjects', 'console:8090')).status).toBe(200);
  await expect(get('/lanes', 'console:8090')).rejects.toThrow(SyntaxError);
});
