/**
 * Changes endpoints.json as a process of its own: `writer.ts <file> <endpoint> <changes>`. With KILL_AT=n it is killed before
 * the n-th step that it takes on the way to the disk; a step that writes has then written half.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const killAt = Number(process.env.KILL_AT ?? Number.POSITIVE_INFINITY);
let armed = false;
const steps: string[] = [];

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

for (const name of [
  'mkdirSync',
  'rmSync',
  'openSync',
  'writeFileSync',
  'fsyncSync',
  'closeSync',
  'renameSync',
] as const) {
  const original = fs[name] as (...args: unknown[]) => unknown;
  Object.assign(fs, {
    [name](...args: unknown[]) {
      if (armed && steps.push(name.replace('Sync', '')) === killAt) {
        if (name === 'writeFileSync') original(args[0], String(args[1]).slice(0, String(args[1]).length / 2));
        die();
      }
      return original(...args);
    },
  });
}
syncBuiltinESMExports();

const { changeEndpoints, secretFileOf } = await import('../../../services/commands/endpoints/file.ts');
const [file = '', name = '', changes = '1'] = process.argv.slice(2);
const madeAt = '2026-01-01T00:00:00.000Z';

for (let count = 0; count < Number(changes); count++) {
  await changeEndpoints(file, (content) => {
    armed = true;
    const id = `secret-${content.revision + 1}`;
    const secret = { file: secretFileOf('northwind', name, id), text: `text of ${id}` };
    const entry = {
      tenant: 'northwind',
      name: `${name}-${count}`,
      tokens: [],
      secrets: [{ id, file: secret.file, madeAt }],
    };
    const endpoints = [...content.endpoints, entry];
    return { content: { ...content, revision: content.revision + 1, endpoints }, secret };
  });
}
process.stdout.write(`${steps.join(' ')}\n`);
