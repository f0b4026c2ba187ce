import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';

const program = `
  import { createLogger } from '${new URL('../services/logger.ts', import.meta.url)}';
  const logger = createLogger('test', 'info');
  logger.info('first');
  setTimeout(() => {
    logger.info('second');
    console.log('alive');
  }, 100);
`;

/** Runs the program; resolves with its exit code and what it printed. */
async function run(stderr: 'pipe' | number) {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', stderr],
  });
  const [[code], stdout, logged] = await Promise.all([
    once(child, 'exit'),
    text(child.stdout!),
    child.stderr ? text(child.stderr) : '',
  ]);
  return {
    code,
    stdout,
    messages: logged
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line).msg),
  };
}

test('logs lines to stderr', async () => {
  expect(await run('pipe')).toEqual({ code: 0, stdout: 'alive\n', messages: ['first', 'second'] });
});

test('a stderr that cannot be written to neither ends the process nor holds it', async () => {
  expect(await run(openSync('/dev/null', 'r'))).toEqual({ code: 0, stdout: 'alive\n', messages: [] });
});
