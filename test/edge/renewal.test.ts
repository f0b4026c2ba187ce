/** An edge over TLS as its user runs it: `hookwatch edge`, SIGHUP, and the simulator as its sender. */
import { type ChildProcess, spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { connect } from 'node:tls';
import { expect, onTestFinished, test, vi } from 'vitest';
import { entry, environmentOf } from '../supervisor/installation.ts';
import { createAuthority, type TestCertificate } from './certificates.ts';
import { temporaryFolder, writeCertificate } from './fixture.ts';

const authority = createAuthority();

function spawnHookwatch(args: string[], env: Record<string, string>): ChildProcess {
  const child = spawn(process.execPath, [entry, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

async function run(args: string[], env: Record<string, string>) {
  const child = spawnHookwatch(args, env);
  const [[code], stdout, stderr] = await Promise.all([once(child, 'exit'), text(child.stdout!), text(child.stderr!)]);
  return { code, stdout, stderr };
}

/** An edge on a data folder of its own, with a certificate. */
async function startEdge(issued: TestCertificate) {
  const dataFolder = temporaryFolder();
  const files = writeCertificate(issued);
  const tls = { HOOKWATCH_EDGE_TLS_CERT: files.certFile, HOOKWATCH_EDGE_TLS_KEY: files.keyFile };
  const env = environmentOf(dataFolder, tls);
  const child = spawnHookwatch(['edge'], env);
  const log: string[] = [];
  createInterface({ input: child.stderr! }).on('line', (line) => log.push(line));
  const [url] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
  return { child, dataFolder, env, files, log, url };
}

async function served(url: string): Promise<string> {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', ca: authority.cert });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'secureConnect');
  return socket.getPeerX509Certificate()!.serialNumber;
}

const serialOf = ({ cert }: TestCertificate) => new X509Certificate(cert).serialNumber;

test('SIGHUP brings the renewed certificate, and the edge goes on', async () => {
  const [before, after] = [authority.issue(), authority.issue()];
  const { child, dataFolder, env, files, log, url } = await startEdge(before);
  expect(url).toMatch(/^https:\/\/127.0.0.1:/);
  expect(await served(url)).toBe(serialOf(before));
  writeFileSync(files.certFile, after.cert);
  child.kill('SIGHUP');
  // Half of a pair: the one before is served until the other half is there.
  await vi.waitFor(() => expect(log.some((line) => line.includes('was not read again'))).toBe(true));
  expect(await served(url)).toBe(serialOf(before));
  writeFileSync(files.keyFile, after.key);
  child.kill('SIGHUP');
  await vi.waitFor(async () => expect(await served(url)).toBe(serialOf(after)));

  // The simulator trusts whom it is told to trust, as any sender does.
  const simulate = ['simulate', '--url', url, '--rate', '50', '--seconds', '1'];
  expect(await run(simulate, env)).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('50 times UNABLE_TO_VERIFY'),
  });
  const caFile = join(dataFolder, 'ca.pem');
  writeFileSync(caFile, authority.cert);
  expect(await run(simulate, { ...env, NODE_EXTRA_CA_CERTS: caFile })).toMatchObject({ code: 0 });
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
}, 60_000);

test('with a pair that cannot be served it does not start, and says why', async () => {
  const files = writeCertificate({ ...authority.issue(), key: authority.issue().key });
  const tls = { HOOKWATCH_EDGE_TLS_CERT: files.certFile, HOOKWATCH_EDGE_TLS_KEY: files.keyFile };
  expect(await run(['edge'], environmentOf(temporaryFolder(), tls))).toEqual({
    code: 2,
    stdout: '',
    stderr: `Cannot use ${files.keyFile} (HOOKWATCH_EDGE_TLS_KEY): it is not the key of ${files.certFile}\n`,
  });
});
