import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import type { SenderSettings } from './sender.ts';

export interface Sender {
  /** Resolves once every request has its outcome. */
  stop(): Promise<void>;
}

/**
 * A provider that begins to send, as a process of its own, until it is stopped or the test ends. `caFile` are the roots
 * that it trusts besides the usual ones.
 */
export function startSender(settings: SenderSettings, caFile?: string): Sender {
  const script = join(import.meta.dirname, 'sender.ts');
  const child = spawn(process.execPath, [script, JSON.stringify(settings)], {
    stdio: 'inherit',
    env: { ...process.env, ...(caFile && { NODE_EXTRA_CA_CERTS: caFile }) },
  });
  const ended = once(child, 'exit');
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return {
    async stop() {
      child.kill('SIGTERM');
      expect(await ended).toEqual([0, null]);
    },
  };
}
