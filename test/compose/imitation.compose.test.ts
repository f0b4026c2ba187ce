/** That a run of the stack can fail: each of these breaks one thing that an engine would not forgive either. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createInstallation, type Installation, type InstallationOptions } from './stack/installation.ts';

let installation: Installation | undefined;

afterEach(async () => {
  await installation?.close();
  installation = undefined;
});

async function install(options: InstallationOptions): Promise<Installation> {
  installation = await createInstallation(options);
  return installation;
}

test('a folder that must be written to and is in the root file system', async () => {
  const { stack } = await install({
    change({ services }) {
      services.kafka!.tmpfs = services.kafka!.tmpfs!.filter((entry) => !entry.startsWith('/opt/kafka/config'));
    },
  });
  const { code, output } = await stack.run('kafka');
  expect(code).not.toBe(0);
  expect(output).toContain('/opt/kafka/config/ file not writable');
});

test('a user who may not write to a volume', async () => {
  const { stack } = await install({
    change({ services }) {
      services.kafka!.user = '1001:1001';
    },
  });
  const { code, output } = await stack.run('kafka');
  expect(code).not.toBe(0);
  expect(output).toMatch(/not writable|AccessDenied|Permission denied/);
});

test('a file that the Dockerfile does not copy', async () => {
  const { stack } = await install({ image: { change: (root) => rmSync(join(root, 'app/services/kafka-parts.ts')) } });
  const { code, output } = await stack.run('console');
  expect(code).toBe(1);
  expect(output).toMatch(/ERR_MODULE_NOT_FOUND|Cannot find module.*kafka-parts/);
});

test('a volume that a service is not given', async () => {
  const { stack } = await install({
    change({ services }) {
      services.sink!.volumes = services.sink!.volumes!.filter(({ target }) => target !== '/secrets');
    },
  });
  const { code, output } = await stack.run('sink');
  expect(code).toBe(2);
  expect(output).toContain('/secrets/hookwatch.password');
});

test('a setting that Kafka does not know how to take', async () => {
  const { stack } = await install({
    change({ services }) {
      services.kafka!.environment!.KAFKA_PROCESS_ROLES = 'broker,janitor';
    },
  });
  const { code, output } = await stack.run('kafka');
  expect(code).not.toBe(0);
  expect(output).toContain('janitor');
});

test('a health check that never succeeds', async () => {
  const { stack } = await install({
    change({ services }) {
      const { caddy } = services;
      caddy!.depends_on = {};
      caddy!.volumes = caddy!.volumes!.map((volume) => ({ ...volume, volume: {} }));
      Object.assign(caddy!.healthcheck!, { start_period: '1s', interval: '1s', retries: 1 });
      caddy!.healthcheck!.test = caddy!.healthcheck!.test.map((word) => word.replace(':9180/', ':9181/'));
    },
  });
  await expect(stack.up(['caddy'])).rejects.toThrow('caddy-1 is not healthy: exit code 4');
});
