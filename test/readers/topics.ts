/** Every topic of an installation on a real broker, with records as edges and workers write them, and the registry. */
import { pino } from 'pino';
import { vi } from 'vitest';
import { createConsole } from '../../services/console/console.ts';
import type { Output } from '../../services/core/flow/context.ts';
import { type LaneRecord, step } from '../../services/core/flow/flow.ts';
import { createState } from '../../services/core/flow/state.ts';
import { headersOfOutput, headersOfPlace } from '../../services/core/records/cloudevents.ts';
import { encode, outputKinds, type RecordKind } from '../../services/core/records/codec.ts';
import type { RecordTypes } from '../../services/core/records/generated.ts';
import { placeOf } from '../../services/core/records/place.ts';
import { serve } from '../../services/http.ts';
import { connectLanes, type KafkaLanes } from '../../services/kafka-lanes.ts';
import type { NewRecord } from '../../services/ports/log/log.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';
import { wantedTopics } from '../../services/ports/log/topics.ts';
import { accountBody, alertBody, iso, laneOf, serverBody, startMs } from '../core/flow/lane.ts';
import { startKafka, type TestKafka } from '../kafka/broker.ts';
import { fixture } from '../ports/warehouse/records.ts';

export interface Topics {
  broker: TestKafka;
  registryUrl: string;
  lanes: KafkaLanes;
  /** What each topic holds; in the order of each partition. */
  records: ReadonlyMap<string, readonly NewRecord[]>;
  dispose(): Promise<void>;
}

/** Of three partitions each has at least one. */
const tenants = ['acme', 'northwind', 'contoso', 'fabrikam', 'initech'];
const hourMs = 3_600_000;

export async function fillTopics(): Promise<Topics> {
  const broker = await startKafka();
  const settings = {
    ...{ brokers: broker.bootstrap, prefix: 'hookwatch', partitions: 3, replication: 1, minInSyncReplicas: 1 },
    ...{ recordsRetentionMs: hourMs, outputsRetentionMs: hourMs, sessionTimeoutMs: 30_000 },
    ...{ tls: false, sasl: undefined },
  };
  const lanes = connectLanes(settings, 'test', pino({ level: 'silent' }));
  await lanes.kafka.admin.create(wantedTopics(settings));
  const console = createConsole({ outputs: createMemoryLog() });
  const served = await serve(console.app, '127.0.0.1', 0);
  const records = new Map<string, NewRecord[]>();
  const append = async (topic: string, tenant: string, batch: NewRecord[]) => {
    // A partition that was just made may not have its leader yet.
    await vi.waitFor(() => lanes.kafka.log(topic, lanes.partitionOf(tenant)).append(batch), { timeout: 20_000 });
    records.set(topic, [...(records.get(topic) ?? []), ...batch]);
  };
  for (const tenant of tenants) {
    const lane = laneRecords(tenant);
    await append(lanes.topics.records, tenant, lane.map(asEdgesWrite));
    const outputs = Map.groupBy(step(createState(), lane).outputs, ({ kind }) => kind);
    // Of kinds that no such lane leads to there is one, as it might be.
    for (const kind of outputKinds) {
      if (!outputs.has(kind)) outputs.set(kind, [{ kind, value: fixture(kind, { tenant }) } as Output]);
    }
    for (const [kind, made] of outputs) {
      const batch = made.map((output) => ({
        ...framed(output.kind, output.value as never),
        headers: headersOfOutput(output),
      }));
      await append(lanes.topics.outputs[kind], tenant, batch);
    }
    await append(lanes.topics.checkpoints, tenant, [framed('checkpoint', pieceOf(tenant))]);
    await append(lanes.topics.progress, tenant, [framed('progress', progressOf(tenant))]);
  }
  return {
    broker,
    registryUrl: served.url,
    lanes,
    records,
    async dispose() {
      await served.close();
      await console.stop();
      await lanes.close();
      await broker.dispose();
    },
  };
}

/** A lane that leads to outputs of every kind, amendments among them. */
function laneRecords(tenant: string): LaneRecord[] {
  const lane = laneOf({ servers: 2 });
  lane.post('Account.Created', accountBody('NEW'), 0);
  for (const n of [1, 2, 3]) lane.post('Server.Created', serverBody('NEW', `S${n}`, n * 1000), n * 1000);
  lane.post('Alert.Notification', alertBody('NEW', 'S1', { state: 'triggered', stateStartTime: iso(startMs) }), 60_000);
  lane.post('Server.Updated', '{"name": "Zoë 🙂\\u0000"', 100_000);
  lane.tick(600_000);
  return lane.records.map(({ position, record }) => ({
    position,
    record: { ...record, value: { ...record.value, tenant } } as LaneRecord['record'],
  }));
}

function framed<K extends RecordKind>(kind: K, value: RecordTypes[K]): NewRecord {
  return { key: value.tenant, frame: encode(kind, value) };
}

function asEdgesWrite({ record }: LaneRecord): NewRecord {
  const written = framed(record.kind, record.value as never);
  return { ...written, headers: headersOfPlace(placeOf(written.frame)) };
}

function pieceOf(tenant: string): RecordTypes['checkpoint'] {
  return { tenant, snapshot: 's1', number: 0, data: Buffer.from('{"v":1}') };
}

function progressOf(tenant: string): RecordTypes['progress'] {
  return {
    tenant,
    published_at: startMs,
    position: 9,
    record_id: 'r9',
    flow: 'f1',
    final: false,
    producers: [{ boot: 'b1', edge: 'edge-1', last_seq: 9, seen_seq: 9, closed: false }],
    snapshot: { id: 's1', first: 0, pieces: 1, bytes: 7, sha256: '00' },
  };
}
