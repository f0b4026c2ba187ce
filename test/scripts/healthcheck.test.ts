/** The health check of our containers, against processes that answer as ours do. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { portsByDefault } from '../../scripts/healthcheck.mjs';
import { loadConfig } from '../../services/config.ts';

const script = fileURLToPath(new URL('../../scripts/healthcheck.mjs', import.meta.url));

async function listen(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return String((server.address() as AddressInfo).port);
}

/** tcpmux: nobody listens there. */
const closedPort = '1';

/** Runs the check as a container does; parts that are not named do not listen. */
async function check(parts: Partial<Record<keyof typeof portsByDefault, string>>) {
  const closed = Object.keys(portsByDefault).map((name) => [name, closedPort]);
  const child = spawn(process.execPath, [script], { env: { ...Object.fromEntries(closed), ...parts } });
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  return { code, said };
}

const ready: RequestListener = (request, response) => {
  response.statusCode = request.url === '/readyz' ? 200 : 404;
  response.end('ready\n');
};
const notReady: RequestListener = (_, response) => {
  response.statusCode = 503;
  response.end('worker: Kafka: away\n');
};

test('healthy where what listens is ready, whichever part it is', async () => {
  for (const name of Object.keys(portsByDefault)) {
    expect([name, await check({ [name]: await listen(ready) })]).toEqual([name, { code: 0, said: '' }]);
  }
});

test('not healthy where nothing listens', async () => {
  expect(await check({})).toEqual({ code: 1, said: 'nothing listens\n' });
});

test('not healthy where one of several is not ready, and says why', async () => {
  const port = await listen(notReady);
  const found = await check({ HOOKWATCH_EDGE_PORT: await listen(ready), HOOKWATCH_WORKER_PORT: port });
  expect(found).toEqual({ code: 1, said: `port ${port}: 503 worker: Kafka: away\n` });
});

test('not healthy where the answer breaks off', async () => {
  const port = await listen((request) => request.socket.destroy());
  expect(await check({ HOOKWATCH_SINK_PORT: port })).toMatchObject({ code: 1, said: expect.stringContaining(port) });
});

test('not healthy where nothing is answered in time', async () => {
  const port = await listen(() => {});
  const found = await check({ HOOKWATCH_EDGE_PORT: port });
  expect(found).toEqual({ code: 1, said: expect.stringContaining(`port ${port}: no answer within`) });
});

test('the ports are those of the settings', () => {
  const config = loadConfig({ HOOKWATCH_CONFIG: fileURLToPath(new URL('../../hookwatch.yaml', import.meta.url)) });
  const { edge, worker, sink, console } = config.ports;
  expect(Object.values(portsByDefault)).toEqual([edge, worker, sink, console]);
});
