import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createAuthority } from '../edge/certificates.ts';
import { writeCertificate } from '../edge/fixture.ts';
import { startInstallation } from './installation.ts';

const authority = createAuthority();

test('SIGHUP to the supervisor, which has no terminal here, renews the certificate and ends nothing', async () => {
  const [before, after] = [authority.issue(), authority.issue()];
  const files = writeCertificate(before);
  const env = { HOOKWATCH_EDGE_TLS_CERT: files.certFile, HOOKWATCH_EDGE_TLS_KEY: files.keyFile };
  const installation = await startInstallation({ env });
  onTestFinished(installation.dispose);
  const { port } = new URL(installation.urls.edge);
  const served = async () => {
    const socket = connect({ port: Number(port), host: '127.0.0.1', ca: authority.cert });
    onTestFinished(() => void socket.destroy());
    await once(socket, 'secureConnect');
    return socket.getPeerX509Certificate()!.serialNumber;
  };
  expect(installation.urls.edge).toMatch(/^https:/);
  expect(await served()).toBe(new X509Certificate(before.cert).serialNumber);
  writeFileSync(files.certFile, after.cert);
  writeFileSync(files.keyFile, after.key);
  const pid = installation.pid('edge');
  installation.process.kill('SIGHUP');
  await vi.waitFor(async () => expect(await served()).toBe(new X509Certificate(after.cert).serialNumber));
  expect(installation.pid('edge')).toBe(pid);
  rmSync(files.keyFile);
  installation.process.kill('SIGTERM');
  expect(await installation.ended).toBe(0);
});
