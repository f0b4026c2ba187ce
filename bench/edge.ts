import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hashToken } from '../services/config.ts';
import { generateScenario } from '../services/simulator/scenario.ts';
import { canPin, hookwatch, startChild, temporaryFolder } from './child.ts';
import { encodeRequest } from './deliveries.ts';
import { type Bench, figureOf } from './figure.ts';
import { startLoad } from './load-client.ts';
import { alternate } from './rounds.ts';

const token = 'bench-server-updated';
const bodyBytes = 960;
const connections = 64;
const secondsPerTurn = 2;

/** The edge as it is shipped, its journal on disk, against a server that does nothing but what the hardware must. */
export const edge: Bench = {
  name: 'edge',
  about: 'verified and journaled deliveries/s on one core, as a ratio to a bare node:http that reads and verifies',
  async run(say) {
    using folder = temporaryFolder();
    const files = prepareFiles(folder.path);
    const env = { HOOKWATCH_DATA: folder.path, HOOKWATCH_CONFIG: files.config, HOOKWATCH_LOG_LEVEL: 'warn' };
    const ports = { HOOKWATCH_EDGE_PORT: '0', HOOKWATCH_EDGE_INTERNAL_PORT: '0' };
    await using ours = startChild([hookwatch, 'edge'], { core: 0, env: { ...env, ...ports } });
    await using bare = startChild([serverFile, files.publicKey], { core: 0 });
    await using client = startLoad(files.requests, 1);
    const [oursUrl, bareUrl] = await Promise.all([ours.printed(url), bare.printed(url), client.ready]);
    if (!canPin) say('taskset or a second core is missing: servers and client are not held to one core each');
    const clientCpu: number[] = [];
    const turn = async (target: string) => {
      const report = await client.load({ url: target, connections, seconds: secondsPerTurn });
      if (report.refused > 0) throw new Error(`${target} refused ${report.refused} of the bench's requests`);
      clientCpu.push(report.cpu * 100);
      return report.accepted / report.seconds;
    };
    const found = await alternate({ ours: () => turn(oursUrl), bare: () => turn(bareUrl), rounds: 8, say });
    return [
      figureOf({ name: 'ratio to a bare node:http', unit: '', goal: { atLeast: 0.75 } }, found.ratios),
      figureOf({ name: 'verified, journaled, answered', unit: '/s' }, found.ours),
      figureOf({ name: 'bare node:http: read, verified, answered', unit: '/s' }, found.bare),
      figureOf({ name: 'CPU of the load client (a bottleneck near 100)', unit: '%' }, clientCpu),
    ];
  },
};

const url = /http:\/\/\S+/;
const serverFile = join(import.meta.dirname, 'bare-server.ts');
/** One endpoint, one key, and requests signed with it: both servers verify with the same single key. */
function prepareFiles(folder: string): { config: string; publicKey: string; requests: string } {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const files = {
    config: join(folder, 'hookwatch.yaml'),
    publicKey: join(folder, 'public.pem'),
    requests: join(folder, 'requests.json'),
  };
  const endpoint = { name: 'server-created', provider: 'centurylink', event: 'Server.Created', account: 'NWND' };
  const tenant = { name: 'northwind', roots: ['centurylink:NWND'] };
  const config = {
    keys: [{ id: 'bench', provider: 'centurylink', file: files.publicKey }],
    tenants: [{ ...tenant, endpoints: [{ ...endpoint, tokenSha256: hashToken(token) }] }],
  };
  // JSON is YAML.
  writeFileSync(files.config, JSON.stringify(config));
  writeFileSync(files.publicKey, publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(files.requests, JSON.stringify(serverBodies().map((body) => requestOf(body, privateKey))));
  return files;
}

/** Bodies of new servers, each brought to the length of the provider's sample by its description. */
function serverBodies(): string[] {
  const scenario = { seed: 1, startMs: Date.UTC(2026, 0, 5, 9), rate: 500, seconds: 10, root: 'NWND' };
  const created = [...generateScenario(scenario)].filter(({ event }) => event === 'Server.Created');
  return created.slice(0, 200).map(({ body }) => {
    const server = JSON.parse(body.toString());
    const description = server.description.padEnd(server.description.length + bodyBytes - body.length, '.');
    return JSON.stringify({ ...server, description });
  });
}

function requestOf(body: string, key: KeyObject): string {
  return encodeRequest(token, body, sign('sha1', Buffer.from(body), key).toString('base64'));
}
