import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { loadConfig } from '../../services/config.ts';
import { describeStart, waitUntilReady } from '../../services/supervisor/banner.ts';

const urls = { edge: 'http://127.0.0.1:1', console: 'http://127.0.0.1:2', clickhouse: 'http://127.0.0.1:3' };
const configOf = (more: Record<string, string> = {}) =>
  loadConfig({ HOOKWATCH_CONFIG: new URL('../../hookwatch.yaml', import.meta.url).pathname, ...more });

test('commands are those that work as they stand', () => {
  expect(describeStart(configOf(), urls, 0, [])).toMatch(/^ {4}npm run simulate$/m);
  expect(describeStart(configOf(), urls, 100, [])).toMatch(/^ {4}npm run simulate -- --port-offset 100$/m);
});

test('a sender over TLS calls the edge by the name in its certificate', () => {
  const tls = configOf({ HOOKWATCH_EDGE_TLS_CERT: 'cert.pem', HOOKWATCH_EDGE_TLS_KEY: 'key.pem' });
  const banner = describeStart(tls, { ...urls, edge: 'https://127.0.0.1:1' }, 100, []);
  expect(banner).toMatch(/^ {4}npm run simulate -- --url https:\/\/<its name>:1$/m);
});

test('an own ClickHouse has users of its own', () => {
  const own = describeStart(configOf({ CLICKHOUSE_URL: 'http://db.example:8123' }), urls, 0, []);
  expect(own).toContain('http://db.example:8123');
  expect(own).not.toContain('analyst');
  expect(describeStart(configOf(), urls, 0, [])).toContain('user analyst');
});

test('what is not ready is said', () => {
  expect(describeStart(configOf(), urls, 0, ['sink: no tables'])).toContain('Not ready: sink: no tables');
});

test('waits until the pipeline is ready, or tells why it is not', async () => {
  let asked = 0;
  const server = createServer((_request, response) => {
    asked++;
    response.writeHead(asked < 3 ? 503 : 200).end('sink: no tables\nworker: closed\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  expect(await waitUntilReady(url, -1)).toEqual(['sink: no tables', 'worker: closed']);
  expect(await waitUntilReady(url, 10_000)).toEqual([]);
  expect(asked).toBe(3);
});

test('a pipeline that does not answer is not ready', async () => {
  expect(await waitUntilReady('http://127.0.0.1:1', -1)).toEqual(['the pipeline does not answer']);
});
