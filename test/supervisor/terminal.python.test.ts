import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { createAuthority } from '../edge/certificates.ts';
import { writeCertificate } from '../edge/fixture.ts';
import { entry, environmentOf, temporaryFolder } from './installation.ts';

const python = process.env.HOOKWATCH_PYTHON ?? 'python3';

test('a terminal that is closed ends everything, also where SIGHUP could mean the certificate', async () => {
  const dataFolder = temporaryFolder();
  onTestFinished(() => rmSync(dataFolder, { recursive: true, force: true }));
  const files = writeCertificate(createAuthority().issue());
  const tls = { HOOKWATCH_EDGE_TLS_CERT: files.certFile, HOOKWATCH_EDGE_TLS_KEY: files.keyFile };
  const script = join(import.meta.dirname, 'terminal.py');
  const child = spawn(python, [script, '30', 'Ctrl-C stops', process.execPath, entry, 'start'], {
    env: environmentOf(dataFolder, tls),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  expect(await text(child.stdout)).toBe('0\n');
});
