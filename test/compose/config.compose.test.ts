import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { Ajv } from 'ajv';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { type ConfigFields, composeConfig, readRepository } from './plugin.ts';
import { composeSchemaPath, programPath, type Tool, toolPath, toolVersion } from './tools.ts';

const composeFile = readRepository('docker-compose.yml');
const example = readRepository('.env.example');
const dockerfile = readRepository('Dockerfile');

const always = [
  ...['alertmanager', 'caddy', 'clickhouse', 'console', 'edge-1', 'edge-2', 'grafana', 'kafka', 'prometheus'],
  ...['setup', 'sink', 'topics', 'worker'],
];
const profiles = [
  { profiles: [], more: [] },
  { profiles: ['demo'], more: ['simulator'] },
  { profiles: ['tools'], more: ['tools'] },
  { profiles: ['dashboards'], more: ['host-grafana', 'host-prometheus'] },
];
const everything = { profiles: ['demo', 'tools', 'dashboards'] };

/** A copy of a text with one place changed; the place must be there. */
function change(text: string, from: string | RegExp, to: string): string {
  const changed = text.replace(from, () => to);
  if (changed === text) throw new Error(`Cannot change ${from}: it is not there`);
  return changed;
}

/** Settings of `.env.example`, with the defaults that it shows. */
function settingsOf(text: string): { name: string; value: string }[] {
  return [...text.matchAll(/^#([A-Z][A-Z0-9_]*)=(.*)$/gm)].map(([, name = '', value = '']) => ({ name, value }));
}

/** Another value of the same kind. */
function otherThan({ name, value }: { name: string; value: string }): string {
  // A bare name would be that of a volume.
  if (name === 'HOOKWATCH_BACKUPS') return './elsewhere';
  return /^\d/.test(value) ? value.replace(/^\d+/, (digits) => `${Number(digits) + 1}`) : `${value}x`;
}

/** Settings that change nothing, whatever they say. */
function findIdle(text: string): string[] {
  const before = JSON.stringify(composeConfig(everything).model);
  return settingsOf(text)
    .filter((setting) => {
      const { complaints, model } = composeConfig({ ...everything, env: `${setting.name}=${otherThan(setting)}\n` });
      if (complaints) throw new Error(complaints);
      return JSON.stringify(model) === before;
    })
    .map(({ name }) => name);
}

describe('docker compose config', () => {
  test.each(profiles)('needs no .env: profiles $profiles', ({ profiles, more }) => {
    const { complaints, model } = composeConfig({ profiles });
    expect(complaints).toBe('');
    expect(Object.keys(model!.services).toSorted()).toEqual([...always, ...more].toSorted());
  });

  test.each(profiles)('a copy of .env.example changes nothing: profiles $profiles', ({ profiles }) => {
    const copied = composeConfig({ env: example, profiles });
    expect(copied.complaints).toBe('');
    expect(copied.model).toEqual(composeConfig({ profiles }).model);
  });

  test('what .env.example shows are the defaults', () => {
    const settings = settingsOf(example);
    const env = settings.map(({ name, value }) => `${name}=${value}\n`).join('');
    expect(settings).not.toEqual([]);
    expect(composeConfig({ ...everything, env })).toEqual(composeConfig(everything));
    const other = composeConfig({
      ...everything,
      env: change(env, 'HOOKWATCH_WORKER_REPLICAS=2', 'HOOKWATCH_WORKER_REPLICAS=3'),
    });
    expect(other.model).not.toEqual(composeConfig(everything).model);
  });

  test('every setting of .env.example sets something', () => {
    expect(findIdle(example)).toEqual([]);
    expect(findIdle('#HOOKWATCH_NOWHERE=1\n#HOOKWATCH_DOMAIN=localhost\n')).toEqual(['HOOKWATCH_NOWHERE']);
  });

  test('Grafana and Prometheus look at the host without anything of the stack', () => {
    const services = ['host-grafana', 'host-prometheus'];
    const { complaints, model } = composeConfig({ services });
    expect(complaints).toBe('');
    expect(Object.keys(model!.services).toSorted()).toEqual(services);
  });

  test.each<{ what: string; fields: () => ConfigFields; says: RegExp }>([
    {
      what: 'a variable without a default',
      fields: () => ({ file: `${composeFile}\nx-mistake: "\${HOOKWATCH_NOWHERE}"\n` }),
      says: /HOOKWATCH_NOWHERE\\?" variable is not set/,
    },
    {
      what: 'a service that waits for one that is not there',
      fields: () => ({ file: withService({ image: 'a:1', depends_on: ['nobody'] }) }),
      says: /undefined service "?nobody/,
    },
    {
      what: 'a volume that is not declared',
      fields: () => ({ file: withService({ image: 'a:1', volumes: ['nothing:/data'] }) }),
      says: /undefined volume "?nothing/,
    },
    {
      what: 'a key that Compose does not know',
      fields: () => ({ file: withService({ image: 'a:1', restarts: 'always' }) }),
      says: /restarts/,
    },
  ])('complains of $what', ({ fields, says }) => {
    expect(composeConfig(fields()).complaints).toMatch(says);
  });
});

/** The compose file with one more service. */
function withService(service: object): string {
  return change(composeFile, /^services:\n/m, `services:\n  mistaken: ${JSON.stringify(service)}\n`);
}

describe('the Compose specification’s schema', () => {
  const { $schema, ...schema } = JSON.parse(readFileSync(composeSchemaPath(), 'utf8'));
  const validate = new Ajv({ strict: false, allErrors: true }).compile(schema);
  const faultsOf = (text: string) => {
    validate(parse(text, { merge: true, maxAliasCount: -1 }));
    return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
  };

  test('is met by docker-compose.yml', () => {
    expect($schema).toContain('draft-07');
    expect(faultsOf(composeFile)).toEqual([]);
  });

  test.each([
    { service: { image: 'a:1', restarts: 'always' }, fault: '/services/mistaken must NOT have additional properties' },
    { service: { image: 1 }, fault: '/services/mistaken/image must be string' },
    { service: { healthcheck: { interval: 5 } }, fault: '/services/mistaken/healthcheck/interval must be string' },
    { service: { cap_drop: 'ALL' }, fault: '/services/mistaken/cap_drop must be array' },
  ])('is not met by a service $service', ({ service, fault }) => {
    expect(faultsOf(withService(service))).toContain(fault);
  });
});

describe('hadolint', () => {
  test('has nothing to say about the Dockerfile', () => {
    expect(lint(dockerfile)).toEqual([]);
  });

  test('what it is told to ignore has its reason in the line above', () => {
    expect(unexplained(dockerfile)).toEqual([]);
    const mistaken = 'FROM a:1\n# hadolint ignore=DL3008\nRUN x\n# Why.\n# hadolint ignore=DL3009\nRUN y\n';
    expect(unexplained(mistaken)).toEqual(['# hadolint ignore=DL3008']);
  });

  test.each([
    { line: 'RUN apt-get install curl', codes: ['DL3008', 'DL3014', 'DL3015'] },
    { line: 'RUN cd /tmp && ls', codes: ['DL3003'] },
    { line: 'RUN echo $HOME', codes: ['SC2086'] },
    { line: 'ADD a.txt /a.txt', codes: ['DL3020'] },
  ])('would find $codes in: $line', ({ line, codes }) => {
    expect(lint(`${dockerfile.trimEnd()}\n${line}\n`)).toEqual(expect.arrayContaining(codes));
  });
});

/** Codes of what hadolint finds, down to matters of style; no settings of this machine are used. */
function lint(text: string): string[] {
  const folder = mkdtempSync(`${tmpdir()}/hookwatch-hadolint-`);
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const args = ['--no-color', '--failure-threshold', 'style', '--format', 'json', '-'];
  const { stdout, stderr, error } = spawnSync(programPath('hadolint'), args, {
    input: text,
    cwd: folder,
    encoding: 'utf8',
    env: { HOME: folder, XDG_CONFIG_HOME: folder },
    timeout: 60_000,
  });
  if (error || stderr) throw new Error(`Cannot run hadolint: ${stderr}`, { cause: error });
  return (JSON.parse(stdout) as { code: string; line: number }[]).map(({ code }) => code);
}

/** Orders to ignore something, without a comment right above. */
function unexplained(text: string): string[] {
  const lines = text.split('\n');
  const isOrder = (line = '') => /^#\s*hadolint\b/.test(line);
  return lines.filter((line, index) => {
    const above = lines[index - 1];
    return isOrder(line) && (!above?.startsWith('#') || isOrder(above));
  });
}

describe('what is tested is what is shipped', () => {
  const { services } = composeConfig({ profiles: ['dashboards'] }).model ?? { services: {} };

  test.each<{ service: string; image: string; tool: Tool }>([
    { service: 'caddy', image: 'caddy:', tool: 'caddy' },
    { service: 'prometheus', image: 'prom/prometheus:v', tool: 'promtool' },
    { service: 'host-prometheus', image: 'prom/prometheus:v', tool: 'promtool' },
  ])('the image of $service has the version of $tool', ({ service, image, tool }) => {
    expect(services[service]?.image).toBe(`${image}${toolVersion(tool)}`);
  });

  test.each<{ tool: Tool; args: string[] }>([
    { tool: 'caddy', args: ['version'] },
    { tool: 'promtool', args: ['--version'] },
    { tool: 'docker-compose', args: ['version', '--short'] },
  ])('$tool says that it is this version', ({ tool, args }) => {
    const { stdout } = spawnSync(toolPath(tool), args, { encoding: 'utf8', timeout: 20_000 });
    expect(stdout.match(/\d+\.\d+\.\d+/)?.[0]).toBe(toolVersion(tool));
  });
});
