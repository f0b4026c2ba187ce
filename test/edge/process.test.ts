import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { loadConfig } from '../../services/config.ts';
import { centurylinkEvents } from '../../services/core/providers/centurylink/event-names.ts';
import { startEdge } from '../../services/edge/process.ts';
import { createRegistry } from '../../services/telemetry.ts';
import { body, createFaultyLog, deliveriesOf, demoKeyPem, signature, temporaryFolder } from './fixture.ts';

test('the shipped configuration takes in all events of the simulator, some at two endpoints', async () => {
  const config = loadConfig({
    HOOKWATCH_DATA: temporaryFolder(),
    HOOKWATCH_CONFIG: new URL('../../hookwatch.yaml', import.meta.url).pathname,
    HOOKWATCH_EDGE_PORT: '0',
    HOOKWATCH_EDGE_INTERNAL_PORT: '0',
  });
  const log = createFaultyLog();
  const registry = createRegistry('edge');
  const logger = pino({ level: 'silent' });
  const edge = await startEdge({ config, log, journalBytes: () => 0, demoKeyPem, registry, logger });
  onTestFinished(edge.close);
  for (const { token } of config.tenants[0]!.endpoints) {
    const headers = { 'content-type': 'application/json', 'tier3-rsasha1': signature(body) };
    expect((await fetch(`${edge.url}/in/${token}`, { method: 'POST', headers, body })).status).toBe(202);
  }
  const taken = deliveriesOf(await log.records()).map(({ event_name }) => event_name);
  expect(taken).toEqual(config.tenants[0]!.endpoints.map(({ event }) => event));
  expect(new Set(taken)).toEqual(new Set(centurylinkEvents));
  expect(readFileSync(join(config.dataFolder, 'edge', 'state.json'), 'utf8')).toContain('northwind');
});
