/** A lane as an edge writes it, made of the simulator's life of a small reseller: frames, with a tick every second. */
import { hash } from 'node:crypto';
import { centurylinkEvents } from '../services/core/providers/centurylink/event-names.ts';
import { encode } from '../services/core/records/codec.ts';
import type { Control, Delivery } from '../services/core/records/generated.ts';
import type { EventName } from '../services/simulator/item.ts';
import { generateScenario, type ScenarioOptions } from '../services/simulator/scenario.ts';

const northwind = 'northwind';
/** As long as one of RSA-2048 in base64. */
const signature = `${'A'.repeat(342)}==`;

const settings = {
  roots: ['centurylink:NWND'],
  endpoints: centurylinkEvents.map((event) => ({
    name: event.toLowerCase().replace('.', '-'),
    provider: 'centurylink',
    event,
    account: 'NWND',
    recursive: true,
  })),
  rules: { 'account-created-then-servers': { servers: 5, within_ms: 3_600_000 } },
  time: { past_ms: 3_600_000, future_ms: 60_000 },
  slack_ms: 2_000,
  lateness_ms: 172_800_000,
};

export interface LaneWriter {
  /** What was written, less what the caller has taken out. */
  readonly frames: Buffer[];
  post(event: EventName, body: Buffer, receivedAt: number, more?: Partial<Delivery>): void;
  tick(receivedAt: number): void;
}

/** Numbers and encodes records as an edge does; the lane begins with its settings and a boot. */
export function createLaneWriter(startMs: number, tenant = northwind, more: object = {}): LaneWriter {
  const boot = hash('sha256', tenant).slice(0, 16);
  const frames: Buffer[] = [];
  let next = 0;
  const place = (receivedAt: number) => {
    const seq = next++;
    const id = `${receivedAt.toString(16).padStart(12, '0')}-${boot}-${seq}`;
    return { tenant, boot, seq, position: -1, id, received_at: receivedAt, version: 0, withdrawn: false };
  };
  const control = (receivedAt: number, parts: Pick<Control, 'kind'> & Partial<Control>) => {
    const unused = { edge: '', predecessor: '', time: null, catching_up: false, document: '', idempotency_id: '' };
    frames.push(encode('control', { ...place(receivedAt), ...unused, remark: '', ...parts }));
  };
  control(startMs, { kind: 'settings', document: JSON.stringify({ ...settings, ...more }) });
  control(startMs, { kind: 'boot', edge: 'edge-1' });
  return {
    frames,
    tick: (receivedAt) => control(receivedAt, { kind: 'tick', time: receivedAt }),
    post(event, body, receivedAt, more = {}) {
      const delivery: Delivery = {
        ...place(receivedAt),
        endpoint: event.toLowerCase().replace('.', '-'),
        provider: 'centurylink',
        event_name: event,
        account: 'centurylink:NWND',
        origin: 'webhook',
        verdict: 'verified',
        verdict_reason: '',
        key_id: 'demo',
        headers: {
          'content-type': 'application/json; charset=utf-8',
          'content-length': String(body.length),
          'tier3-rsasha1': signature,
          expect: '100-continue',
        },
        body,
        flags: [],
        ...more,
      };
      frames.push(encode('delivery', delivery));
    },
  };
}

export interface LaneOptions extends Omit<ScenarioOptions, 'root'> {
  tenant?: string;
}

/** Frames of a whole scenario. */
export function encodeScenario(options: LaneOptions): Buffer[] {
  return [...generateLane(options)];
}

/** The same one by one, for a lane that is too long to be held. */
export function* generateLane({ tenant, ...options }: LaneOptions): Generator<Buffer, void, undefined> {
  const { startMs } = options;
  const writer = createLaneWriter(startMs, tenant);
  let tickedMs = 0;
  for (const { atMs, event, body } of generateScenario({ ...options, root: 'NWND' })) {
    for (; tickedMs + 1_000 <= atMs; tickedMs += 1_000) writer.tick(startMs + tickedMs + 1_000);
    writer.post(event, body, startMs + atMs);
    yield* writer.frames.splice(0);
  }
  writer.tick(startMs + options.seconds * 1_000);
  yield* writer.frames.splice(0);
}
