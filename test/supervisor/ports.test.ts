import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { claimPorts } from '../../services/supervisor/ports.ts';

const host = '127.0.0.1';

async function occupy(): Promise<number> {
  const server = createServer().listen(0, host);
  onTestFinished(() => {
    server.close();
  });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

test('where 0 is wanted each gets a free port of its own', async () => {
  const wanted = ['A', 'B', 'C', 'D'].map((setting) => ({ port: 0, setting }));
  const { ports, taken } = await claimPorts(host, wanted);
  expect(taken).toEqual([]);
  expect(new Set(ports).size).toBe(4);
  expect(ports).not.toContain(0);
  // They are free again.
  expect(
    (
      await claimPorts(
        host,
        ports.map((port) => ({ port, setting: 'A' })),
      )
    ).taken,
  ).toEqual([]);
});

test('a port that another process has is named with its setting', async () => {
  const port = await occupy();
  const { taken } = await claimPorts(host, [
    { port: 0, setting: 'FREE' },
    { port, setting: 'TAKEN' },
  ]);
  expect(taken).toEqual([{ port, setting: 'TAKEN' }]);
});

test('a port that two settings want is taken for one of them', async () => {
  const { ports } = await claimPorts(host, [{ port: 0, setting: 'A' }]);
  const { taken } = await claimPorts(
    host,
    ['A', 'B'].map((setting) => ({ port: ports[0]!, setting })),
  );
  expect(taken).toHaveLength(1);
});

test('an address that is not ours is said to be so', async () => {
  await expect(claimPorts('192.0.2.1', [{ port: 0, setting: 'HOOKWATCH_EDGE_PORT' }])).rejects.toThrow(
    /^Cannot listen on 192\.0\.2\.1:0 \(HOOKWATCH_EDGE_PORT\): /,
  );
});
