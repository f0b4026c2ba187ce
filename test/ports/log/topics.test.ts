import { describe, expect, test } from 'vitest';
import type { KafkaTopic } from '../../../services/ports/log/kafka.ts';
import {
  checkTopics,
  planTopics,
  type TopicSettings,
  topicsOf,
  wantedTopics,
} from '../../../services/ports/log/topics.ts';

function settings(fields: Partial<TopicSettings> = {}): TopicSettings {
  return {
    prefix: 'hookwatch',
    partitions: 12,
    replication: 3,
    minInSyncReplicas: 2,
    recordsRetentionMs: 168 * 3_600_000,
    outputsRetentionMs: 72 * 3_600_000,
    ...fields,
  };
}

/** The topics as they should be, save for what a test says of the lanes' one. */
function found(records: Partial<Omit<KafkaTopic, 'config'>> & { config?: Record<string, string> } = {}) {
  const topics = wantedTopics(settings());
  const wanted = topics.get('hookwatch.records')!;
  return topics.set('hookwatch.records', { ...wanted, ...records, config: { ...wanted.config, ...records.config } });
}

test('there is a topic for the lanes, one per kind of output, and two for checkpoints', () => {
  const outputs = [
    ...['backups', 'changes', 'control', 'coverage', 'deliveries', 'detections', 'episodes', 'events', 'hierarchy'],
    ...['losses', 'panes', 'reconciliations', 'rejects'],
  ];
  const names = ['records', 'checkpoints', 'progress', ...outputs].map((name) => `hw.${name}`);
  expect([...wantedTopics(settings({ prefix: 'hw' })).keys()].sort()).toEqual(names.sort());
  expect(topicsOf('hw').outputs.delivery).toBe('hw.deliveries');
});

test('records and outputs are kept for their hours, checkpoints until they are trimmed', () => {
  const topics = wantedTopics(settings());
  const retention = (name: string) => topics.get(`hookwatch.${name}`)!.config['retention.ms'];
  expect(['records', 'events', 'checkpoints', 'progress'].map(retention)).toEqual([
    '604800000',
    '259200000',
    '-1',
    '-1',
  ]);
});

test.each([
  { replication: 1, flush: '1' },
  { replication: 3, flush: undefined },
])('with $replication replicas a record is flushed after: $flush', ({ replication, flush }) => {
  const records = wantedTopics(settings({ replication })).get('hookwatch.records')!;
  expect(records.config['flush.messages']).toBe(flush);
});

test('whoever writes a record does not say when it may go', () => {
  const types = [...wantedTopics(settings()).values()].map(({ config }) => config['message.timestamp.type']);
  expect(new Set(types)).toEqual(new Set(['LogAppendTime']));
});

describe('the plan', () => {
  test('is empty where all is as it should be, whatever else is set', () => {
    const plan = planTopics(settings(), found({ config: { 'index.interval.bytes': '1' } }));
    expect(plan).toEqual({ create: new Map(), change: new Map(), impossible: [] });
  });

  test('creates what is not there', () => {
    const there = found();
    there.delete('hookwatch.events');
    const wanted = wantedTopics(settings()).get('hookwatch.events');
    expect(planTopics(settings(), there).create).toEqual(new Map([['hookwatch.events', wanted]]));
  });

  test('changes settings that differ', () => {
    const plan = planTopics(settings(), found({ config: { 'retention.ms': '1' } }));
    const changes = [{ name: 'retention.ms', from: '1', to: '604800000' }];
    expect(plan.change).toEqual(new Map([['hookwatch.records', changes]]));
  });

  test.each([
    { what: 'partitions', records: { partitions: 6 }, says: /6 partitions, not 12: .*HOOKWATCH_KAFKA_PARTITIONS=6/ },
    { what: 'replicas', records: { replication: 1 }, says: /1 replicas, not 3: .*HOOKWATCH_KAFKA_REPLICATION=1/ },
  ])('says what to do about another number of $what', ({ records, says }) => {
    expect(planTopics(settings(), found(records)).impossible).toEqual([expect.stringMatching(says)]);
  });
});

describe('the check of a start', () => {
  const check = (topics: ReadonlyMap<string, KafkaTopic>) => checkTopics({ describe: async () => topics }, settings());

  test.each([
    { what: 'all is as it should be', records: {} },
    { what: 'more is safer', records: { replication: 5, config: { 'min.insync.replicas': '3' } } },
    { what: 'the retention is another', records: { config: { 'retention.ms': '1' } } },
  ])('lets a process start where $what', async ({ records }) => {
    await check(found(records));
  });

  test.each([
    { what: 'no topics', topics: new Map(), says: /records is not there: run hookwatch topics --apply/ },
    { what: 'other partitions', topics: found({ partitions: 6 }), says: /records has 6 partitions, not 12/ },
    {
      what: 'unclean elections',
      topics: found({ config: { 'unclean.leader.election.enable': 'true' } }),
      says: /records allows unclean elections/,
    },
    {
      what: 'times of whoever writes',
      topics: found({ config: { 'message.timestamp.type': 'CreateTime' } }),
      says: /records lets records go by the clocks of those who write them: run hookwatch topics --apply/,
    },
    {
      what: 'too few replicas',
      topics: found({ config: { 'min.insync.replicas': '1' } }),
      says: /records acknowledges with 1 replicas in sync, not 2/,
    },
  ])('refuses $what', async ({ topics, says }) => {
    await expect(check(topics)).rejects.toThrow(says);
  });
});
