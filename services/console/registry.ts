/**
 * The schemas of all topics, as a Confluent Schema Registry answers: for readers that find a schema's id in a frame.
 *
 *   GET /schemas/ids/{id}                        {"schema": "<JSON as text>"}
 *   GET /subjects                                ["hookwatch.events-value", …]
 *   GET /subjects/{subject}/versions             [1, …]
 *   GET /subjects/{subject}/versions/{n|latest}  {"subject", "version", "id", "schema"}
 *
 * Subjects are named <topic>-value (TopicNameStrategy). Those of a subject are the schemas of every kind of record that
 * its topic holds, oldest first: `records` has two kinds, so its latest one is not the one of all its records. It is
 * only read: schemas come with the code (schemas/avro), and their ids never change.
 */
import { type Context, Hono } from 'hono';
import type { RecordKind } from '../core/records/codec.ts';
import { schemas } from '../core/records/generated.ts';
import { topicsOf } from '../ports/log/topics.ts';

type Schema = (typeof schemas)[number];

const contentType = 'application/vnd.schemaregistry.v1+json';

/** @param prefix of the topics' names */
export function createSchemaRegistry(prefix: string): Hono {
  const subjects = subjectsOf(prefix);
  const app = new Hono();

  app.get('/schemas/ids/:id', (context) => {
    const id = context.req.param('id');
    const found = schemas.find((schema) => String(schema.id) === id);
    return found ? answer(context, { schema: textOf(found) }) : refuse(context, 40403, `Schema ${id} not found.`);
  });
  app.get('/subjects', (context) => answer(context, [...subjects.keys()]));
  app.get('/subjects/:subject/versions', (context) => {
    const subject = context.req.param('subject');
    const found = subjects.get(subject);
    return found ? answer(context, [...found.keys()].map(toVersion)) : refuseSubject(context, subject);
  });
  app.get('/subjects/:subject/versions/:version', (context) => {
    const { subject, version } = context.req.param();
    const found = subjects.get(subject);
    if (!found) return refuseSubject(context, subject);
    const number = version === 'latest' ? found.length : Number(/^\d{1,10}$/.exec(version)?.[0] ?? 0);
    if (number < 1 || number >= 2 ** 31) {
      const allowed = 'Allowed values are between [1, 2^31-1] and the string "latest"';
      return refuse(context, 42202, `The specified version '${version}' is not a valid version id. ${allowed}`);
    }
    const schema = found[number - 1];
    if (!schema) return refuse(context, 40402, `Version ${number} not found.`);
    return answer(context, { subject, version: number, id: schema.id, schema: textOf(schema) });
  });
  return app;
}

function subjectsOf(prefix: string): ReadonlyMap<string, readonly Schema[]> {
  const { records, outputs, checkpoints, progress } = topicsOf(prefix);
  const kinds: [topic: string, kinds: RecordKind[]][] = [
    [records, ['delivery', 'control']],
    ...Object.entries(outputs).map(([kind, topic]): [string, RecordKind[]] => [topic, [kind as RecordKind]]),
    [checkpoints, ['checkpoint']],
    [progress, ['progress']],
  ];
  const subjects = kinds.map(([topic, held]): [string, Schema[]] => [
    `${topic}-value`,
    schemas.filter(({ kind }) => held.includes(kind)).sort((a, b) => a.id - b.id),
  ]);
  return new Map(subjects.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function toVersion(index: number): number {
  return index + 1;
}

function textOf({ schema }: Schema): string {
  return JSON.stringify(schema);
}

function answer(context: Context, body: unknown): Response {
  return context.body(JSON.stringify(body), 200, { 'Content-Type': contentType });
}

function refuseSubject(context: Context, subject: string): Response {
  return refuse(context, 40401, `Subject '${subject}' not found.`);
}

/** The first three digits of an error's code are the status. */
function refuse(context: Context, error_code: number, message: string): Response {
  const status = Math.floor(error_code / 100) as 404 | 422;
  return context.body(JSON.stringify({ error_code, message }), status, { 'Content-Type': contentType });
}
