// @ts-check
/**
 * The health check of a container: which of our processes runs in it does not matter. Asks every port that one of ours may
 * listen on for /readyz; plain JavaScript without packages, for there is no curl in the image.
 *
 * Exit code: 0 something listens and all that listens is ready, 1 otherwise; what is wrong stands on stderr.
 */
import { request } from 'node:http';
import { request as requestTls } from 'node:https';
import { pathToFileURL } from 'node:url';

const timeoutMs = 4_000;

/**
 * Ports by the setting that moves them, as services/config.ts has them. Edge, worker, sink, console.
 * @type {Readonly<Record<string, number>>}
 */
export const portsByDefault = {
  HOOKWATCH_EDGE_PORT: 8080,
  HOOKWATCH_WORKER_PORT: 8082,
  HOOKWATCH_SINK_PORT: 8083,
  HOOKWATCH_CONSOLE_PORT: 8090,
};

/**
 * What keeps this container from being healthy, a line each; empty when it is.
 * @param {Readonly<Record<string, string | undefined>>} environment
 * @returns {Promise<string[]>}
 */
export async function findTroubles(environment) {
  const tls = Boolean(environment.HOOKWATCH_EDGE_TLS_CERT);
  const answers = await Promise.all(
    Object.entries(portsByDefault).map(([name, port]) =>
      ask(Number(environment[name] || port), tls && name === 'HOOKWATCH_EDGE_PORT'),
    ),
  );
  const heard = answers.filter((answer) => answer !== undefined);
  return heard.length === 0 ? ['nothing listens'] : heard.filter((trouble) => trouble !== '');
}

/**
 * Undefined: nothing listens there. Empty: it is ready. Else what it says.
 * @param {number} port
 * @param {boolean} tls
 * @returns {Promise<string | undefined>}
 */
function ask(port, tls) {
  const place = `port ${port}`;
  const { promise, resolve } = Promise.withResolvers();
  // The certificate is for the name that the world uses; this is the same container.
  const options = { host: '127.0.0.1', port, path: '/readyz', timeout: timeoutMs, rejectUnauthorized: false };
  const call = (tls ? requestTls : request)(options, async (answer) => {
    let text = '';
    try {
      for await (const chunk of answer.setEncoding('utf8')) text += chunk;
    } catch (error) {
      text = /** @type {Error} */ (error).message;
    }
    resolve(answer.statusCode === 200 ? '' : `${place}: ${answer.statusCode} ${text.trim()}`);
  });
  call.on('timeout', () => call.destroy(new Error(`no answer within ${timeoutMs} ms`)));
  call.on('error', (/** @type {NodeJS.ErrnoException} */ error) =>
    resolve(error.code === 'ECONNREFUSED' ? undefined : `${place}: ${error.message}`),
  );
  call.end();
  return promise;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const troubles = await findTroubles(process.env);
  for (const trouble of troubles) process.stderr.write(`${trouble}\n`);
  process.exitCode = troubles.length === 0 ? 0 : 1;
}
