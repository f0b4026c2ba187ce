import { describe, expect, test } from 'vitest';
import type { Output } from '../../../services/core/flow/context.ts';
import { step } from '../../../services/core/flow/flow.ts';
import { createState } from '../../../services/core/flow/state.ts';
import { headersOfOutput, headersOfPlace } from '../../../services/core/records/cloudevents.ts';
import type { Coverage, Hierarchy, Reconciliation } from '../../../services/core/records/generated.ts';
import { makeDelivery, makeDetection, makeEpisode, makeEvent, makeReject } from '../../console/fixtures.ts';
import { fixture } from '../../ports/warehouse/records.ts';
import { accountBody, alertBody, controlOf, iso, laneOf, serverBody, startMs, tenant } from '../flow/lane.ts';

const trace = ({ traceparent = '' }: Readonly<Record<string, string>>) => traceparent.split('-')[1];
const span = ({ traceparent = '' }: Readonly<Record<string, string>>) => traceparent.split('-')[2];

function outputsOfALane(): Output[] {
  const lane = laneOf({ servers: 2 });
  lane.post('Account.Created', accountBody('NEW'), 0);
  for (const n of [1, 2]) lane.post('Server.Created', serverBody('NEW', `S${n}`, n * 1000), n * 1000);
  lane.post('Alert.Notification', alertBody('NEW', 'S1', { state: 'triggered', stateStartTime: iso(startMs) }), 60_000);
  lane.post('Server.Updated', 'not JSON', 100_000);
  lane.tick(600_000);
  return step(createState(), lane.records).outputs;
}

describe('CloudEvents, attribute by attribute', () => {
  test('an event says what it is by itself', () => {
    const value = makeEvent({ seq: 1, version: 3, time: Date.UTC(2026, 0, 2, 3, 4, 5, 6) });
    expect(headersOfOutput({ kind: 'event', value })).toEqual({
      'content-type': 'application/avro',
      ce_specversion: '1.0',
      ce_id: value.id,
      ce_type: 'centurylink.server.updated',
      ce_source: '/centurylink/server-updated',
      ce_time: '2026-01-02T03:04:05.006Z',
      ce_subject: 'WA1NWNDWEB01',
      ce_version: '3',
      traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/),
    });
  });

  const at = Date.UTC(2026, 0, 2);
  const hierarchyOf = (given: Partial<Hierarchy>) => fixture('hierarchy', { account: 'p:A', ...given });
  const coverageOf = (given: Partial<Coverage>) => fixture('coverage', { account: 'p:A', ...given });
  const runOf = (given: Partial<Reconciliation>) => fixture('reconciliation', { account: 'p:A', ...given });
  test.each<[string, string, Output]>([
    ['hookwatch.delivery', 'server-updated', { kind: 'delivery', value: makeDelivery({ seq: 1, received_at: at }) }],
    ['hookwatch.control', 'boot', { kind: 'control', value: controlOf({ kind: 'boot', received_at: at }) }],
    ['hookwatch.episode', 'WA1NWNDWEB01', { kind: 'episode', value: makeEpisode({ opened_at: at }) }],
    ['hookwatch.episode', 'WA1NWNDWEB01', { kind: 'episode', value: makeEpisode({ closed_at: at }) }],
    ['hookwatch.detection', 'centurylink:FRD1', { kind: 'detection', value: makeDetection({ fired_at: at }) }],
    ['hookwatch.reject', 'd7', { kind: 'reject', value: makeReject({ seq: 1, received_at: at, delivery: 'd7' }) }],
    ['hookwatch.change', 'S1', { kind: 'change', value: fixture('change', { time: at, subject: 'S1' }) }],
    ['hookwatch.hierarchy', 'p:A', { kind: 'hierarchy', value: hierarchyOf({ valid_from: at, valid_to: null }) }],
    ['hookwatch.hierarchy', 'p:A', { kind: 'hierarchy', value: hierarchyOf({ valid_to: at }) }],
    ['hookwatch.loss', 'e1', { kind: 'loss', value: fixture('loss', { hour: at, endpoint: 'e1' }) }],
    ['hookwatch.backup', 'S1', { kind: 'backup', value: fixture('backup', { last_report_at: at, server: 'S1' }) }],
    ['hookwatch.coverage', 'p:A', { kind: 'coverage', value: coverageOf({ started_at: at, ended_at: null }) }],
    ['hookwatch.coverage', 'p:A', { kind: 'coverage', value: coverageOf({ ended_at: at }) }],
    [
      'hookwatch.reconciliation',
      'p:A',
      { kind: 'reconciliation', value: runOf({ started_at: at, completed_at: null }) },
    ],
    ['hookwatch.reconciliation', 'p:A', { kind: 'reconciliation', value: runOf({ completed_at: at }) }],
  ])('a %s about %s is of its lane', (type, subject, output) => {
    expect(headersOfOutput(output)).toMatchObject({
      ce_id: output.value.id,
      ce_type: type,
      ce_source: `/lanes/${output.value.tenant}`,
      ce_subject: subject,
      ce_time: '2026-01-02T00:00:00.000Z',
    });
  });

  test.each([
    ['', undefined],
    ['x'.repeat(257), undefined],
    ['x'.repeat(256), 'x'.repeat(256)],
    ['Jörg\r\n\u0085\ufffe', 'Jörg\ufffd\ufffd\ufffd\ufffd'],
    ['half \ud800 of a pair 🙂', 'half \ufffd of a pair 🙂'],
  ])('a subject is text that others accept, or left out: %j', (subject, written) => {
    expect(headersOfOutput({ kind: 'event', value: makeEvent({ seq: 1, subject }) }).ce_subject).toBe(written);
  });

  test.each([[-1], [Date.UTC(10_000, 0, 1)], [Number.MAX_SAFE_INTEGER]])(
    'a time that RFC 3339 cannot write is left out: %d',
    (time) => {
      expect(headersOfOutput({ kind: 'event', value: makeEvent({ seq: 1, time }) })).not.toHaveProperty('ce_time');
    },
  );

  test('every output of a lane: names of attributes as CloudEvents has them, no empty value', () => {
    const outputs = outputsOfALane();
    const kinds = ['delivery', 'control', 'event', 'episode', 'pane', 'detection', 'reject'];
    expect([...new Set(outputs.map(({ kind }) => kind))]).toEqual(expect.arrayContaining(kinds));
    for (const headers of outputs.map(headersOfOutput)) {
      for (const [name, value] of Object.entries(headers)) {
        expect(name).toMatch(/^(content-type|traceparent|ce_[a-z0-9]+)$/);
        expect(value).not.toBe('');
      }
    }
  });
});

describe('what an edge has written', () => {
  test.each(['delivery', 'control'] as const)('a %s has the id, source, trace and span of its output', (kind) => {
    for (const output of outputsOfALane().filter((other) => other.kind === kind)) {
      const { id, received_at } = output.value as { id: string; received_at: number };
      const before = headersOfPlace({ kind, tenant, id, receivedAt: received_at });
      const { ce_subject, ...after } = headersOfOutput(output);
      expect({ ...before, ce_version: after.ce_version }).toEqual(after);
      expect(before.ce_version).toBe('0');
    }
  });
});

describe('traces', () => {
  test('a delivery and what follows from it share one, and each record is a span of its own', () => {
    const outputs = outputsOfALane();
    const about = (position: number) =>
      outputs.filter(({ kind, value }) => kind !== 'pane' && value.position === position);
    const alert = about(outputs.find(({ kind }) => kind === 'episode')!.value.position);
    expect(alert.map(({ kind }) => kind)).toEqual(['delivery', 'event', 'episode']);
    const rejected = about(outputs.find(({ kind }) => kind === 'reject')!.value.position);
    for (const group of [alert, rejected]) {
      const headers = group.map(headersOfOutput);
      expect(new Set(headers.map(trace)).size).toBe(1);
      expect(new Set(headers.map(span)).size).toBe(group.length);
    }
    const event = alert[1]!.value.id;
    for (const output of [
      { kind: 'change', value: fixture('change', { event }) },
      { kind: 'hierarchy', value: fixture('hierarchy', { event }) },
      { kind: 'backup', value: fixture('backup', { events: ['earlier', event] }) },
    ] satisfies Output[]) {
      expect(trace(headersOfOutput(output))).toBe(trace(headersOfOutput(alert[1]!)));
    }
    expect(trace(headersOfOutput(alert[0]!))).not.toBe(trace(headersOfOutput(rejected[0]!)));
  });

  test('a detection is in the trace of its first event, whose id names it', () => {
    const outputs = outputsOfALane();
    const { value } = outputs.find((output) => output.kind === 'detection')!;
    expect(trace(headersOfOutput({ kind: 'detection', value }))).toBe(value.events[0]!.replace('-', ''));
  });

  test('an id of another form has a trace as well', () => {
    expect(trace(headersOfOutput({ kind: 'event', value: makeEvent({ seq: 1, id: 'other' }) }))).toMatch(
      /^[0-9a-f]{32}$/,
    );
  });
});
