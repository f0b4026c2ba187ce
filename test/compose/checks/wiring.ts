/** Whether what the services say of files, settings, ports and each other is so. */
import { parse } from 'yaml';
import { type Check, isOneShot, isOurs, isThere, type Mount, variablePattern } from './stack.ts';

/** Where each part listens: services/config.ts. */
const portsOfParts: Readonly<Record<string, number>> = { edge: 8080, worker: 8082, sink: 8083, console: 8090 };

const entriesOf = (stack: Parameters<Check>[0]) => Object.entries(stack.services);

/** What is mounted of the repository is in it. */
const paths: Check = (stack) =>
  entriesOf(stack).flatMap(([name, { mounts, build }]) => [
    ...(build !== undefined && !isThere(`${build}/Dockerfile`) ? [`${name}: no Dockerfile in ${build}`] : []),
    ...mounts
      .filter(({ type, source }) => type === 'bind' && (!source.startsWith('./') || !isThere(source)))
      .map(({ source }) => `${name}: ${source} is not in the repository`),
    ...mounts
      .filter(({ type, read_only }) => type === 'bind' && !read_only)
      .map(({ source }) => `${name}: may write to ${source}`),
  ]);

/** Only Caddy can be reached from elsewhere, and only where that was asked for. */
const published: Check = (stack) =>
  entriesOf(stack).flatMap(([name, { ports, network_mode, environment, command = [] }]) => {
    const open = ports.filter((port) => !/^127\.0\.0\.1:\d+:\d+$/.test(port));
    const local =
      environment.GF_SERVER_HTTP_ADDR === '127.0.0.1' || command.includes('--web.listen-address=127.0.0.1:9090');
    return [
      ...open.map((port) => `${name}: ${port} is not on loopback`),
      ...(network_mode === 'host' && !local ? [`${name}: listens on every address of the host`] : []),
    ];
  });

/** Which variable may open a port: .env decides, for Caddy alone. */
const opened: Check = ({ files }) =>
  [...files.compose.matchAll(/^ *- (\$\{HOOKWATCH_BIND:-[^}]*\}|[\d.]+):\$\{([A-Z_]+):-\d+\}:(\d+)$/gm)]
    .filter(([, address, variable]) => /_HTTPS?$/.test(variable!) !== address!.startsWith('${'))
    .map(([line]) => `${line.trim()}: reached from where it should not be, or not from where it should`);

/** A port that is published is one on which something listens. */
const listening: Check = (stack) =>
  entriesOf(stack).flatMap(([name, { ports, command = [] }]) => {
    const wanted = portsOfParts[command[0] ?? ''];
    return ports
      .filter((port) => wanted !== undefined && Number(port.split(':').at(-1)) !== wanted)
      .map((port) => `${name}: ${port}, but it listens on ${wanted}`);
  });

/** Every variable is explained, with a comment above its paragraph, and nothing is explained that has no effect. */
const variables: Check = ({ files }) => {
  const used = new Set([...files.compose.matchAll(variablePattern)].map(([, name]) => name!));
  const lines = files.example.split('\n');
  const shown = new Set(lines.flatMap((line) => /^#([A-Z][A-Z0-9_]*)=/.exec(line)?.[1] ?? []));
  const unexplained = [...shown].filter((name) => {
    const at = lines.findIndex((line) => line.startsWith(`#${name}=`));
    const above = lines.slice(0, at).findLast((line) => !/^#[A-Z][A-Z0-9_]*=/.test(line)) ?? '';
    return !/^# [^-]/.test(above);
  });
  return [
    ...[...used].filter((name) => !shown.has(name)).map((name) => `${name} is not in .env.example`),
    ...[...shown].filter((name) => !used.has(name)).map((name) => `${name} of .env.example is used nowhere`),
    ...unexplained.map((name) => `${name} of .env.example is not explained`),
  ];
};

const secretName = /PASSWORD|SECRET|TOKEN|SLACK_URL/;

/** Passwords come from .env or a file that `setup` makes; none has a default. */
const noPasswords: Check = (stack) => {
  const values = entriesOf(stack).flatMap(([name, { environment }]) =>
    Object.entries(environment)
      .filter(([key, value]) => secretName.test(key) && !/_FILE$/.test(key) && value !== '')
      .map(([key]) => `${name}: ${key} has a value in the repository`),
  );
  const defaults = [...stack.files.compose.matchAll(variablePattern)]
    .filter(([, name, byDefault]) => secretName.test(name!) && byDefault)
    .map(([, name]) => `${name} has a default`);
  const examples = [...stack.files.example.matchAll(/^#?([A-Z][A-Z0-9_]*)=(.+)$/gm)]
    .filter(([, name]) => secretName.test(name!))
    .map(([, name]) => `${name} has a value in .env.example`);
  return [...values, ...defaults, ...examples];
};

/** Who else reads what `setup` made: one service each, read-only, and without giving the volume an owner. */
const secretsOfOne: Check = (stack) =>
  stack.volumes
    .filter((volume) => volume.startsWith('setup-'))
    .flatMap((volume) => {
      const readers = entriesOf(stack).flatMap(([name, { mounts, profiles }]) =>
        mounts
          .filter((mount) => mount.source === volume && name !== 'setup')
          .map((mount) => ({ name, mount, profiles })),
      );
      // `tools` asks ClickHouse as the sink does, by hand.
      const always = readers.filter(({ profiles }) => !profiles?.includes('tools'));
      const loose = readers.filter(({ mount }) => !mount.read_only || !mount.nocopy);
      return [
        ...(always.length === 1 ? [] : [`${volume}: read by ${always.map(({ name }) => name).join() || 'nobody'}`]),
        ...loose.map(({ name }) => `${volume}: ${name} must mount it read-only and nocopy`),
      ];
    });

/** Volumes are declared and used; what lasts is one container's. */
const volumes: Check = (stack) => {
  const mounted = entriesOf(stack).flatMap(([name, { mounts }]) =>
    mounts.filter(({ type }) => type === 'volume').map((mount) => ({ ...mount, name })),
  );
  const writers = Map.groupBy(
    mounted.filter(({ read_only, name }) => !read_only && name !== 'setup'),
    ({ source }) => source,
  );
  return [
    ...mounted.filter(({ source }) => !stack.volumes.includes(source)).map(({ source }) => `${source} is not declared`),
    ...stack.volumes
      .filter((name) => !mounted.some(({ source }) => source === name))
      .map((name) => `${name} is unused`),
    ...[...writers].filter(([, names]) => names.length > 1).map(([source]) => `${source} is written to by several`),
  ];
};

/** Each edge has a name of its own, which its disk goes with. */
const edges: Check = (stack) => {
  const parts = entriesOf(stack).filter(([, { command }]) => command?.[0] === 'edge');
  const disk = (mounts: readonly Mount[]) => mounts.find(({ target }) => target === '/data')?.source;
  const names = parts.map(([, { environment }]) => environment.HOOKWATCH_EDGE_NAME);
  const disks = parts.map(([, { mounts }]) => disk(mounts));
  const upstreams = stack.services.caddy?.environment.HOOKWATCH_EDGES;
  return [
    ...(parts.length < 2 ? ['there is no second edge'] : []),
    ...(new Set(names).size < parts.length || names.includes(undefined) ? ['two edges have one name'] : []),
    ...(new Set(disks).size < parts.length || disks.includes(undefined) ? ['two edges have one disk, or none'] : []),
    ...(upstreams === parts.map(([name]) => `${name}:8080`).join(' ') ? [] : [`Caddy forwards to ${upstreams}`]),
  ];
};

/** Kafka and the warehouse are out of reach for what the outside talks to first. */
const networks: Check = (stack) => {
  const inFront = (name: string) => stack.services[name]?.networks?.includes('front');
  return [
    ...['kafka', 'clickhouse', 'grafana', 'alertmanager'].filter(inFront).map((name) => `${name} is in front`),
    ...(stack.services.caddy?.networks?.join() === 'front' ? [] : ['caddy reaches more than the edges']),
    ...entriesOf(stack)
      .filter(([, { networks: joined, network_mode }]) => !joined && !network_mode)
      .map(([name]) => `${name} is in no network, so in everyone's`),
  ];
};

/** Prometheus asks each of ours, and nobody who is not there or whom it does not reach. */
const targets: Check = (stack) => {
  const { scrape_configs } = parse(stack.files.prometheus) as {
    scrape_configs: {
      static_configs?: { targets: string[] }[];
      dns_sd_configs?: { names: string[]; port: number }[];
    }[];
  };
  const asked = scrape_configs.flatMap(({ static_configs = [], dns_sd_configs = [] }) => [
    ...static_configs.flatMap((config) => config.targets),
    ...dns_sd_configs.flatMap(({ names, port }) => names.map((name) => `${name}:${port}`)),
  ]);
  const wanted = entriesOf(stack)
    .filter(([, service]) => isOurs(service) && !isOneShot(service))
    .map(([name, { command = [] }]) => `${name}:${portsOfParts[command[0]!]}`);
  const others = ['caddy:9180', 'alertmanager:9093', 'clickhouse:9363', 'localhost:9090'];
  const mine = stack.services.prometheus?.networks ?? [];
  const reached = (target: string) => {
    const joined = stack.services[target.split(':')[0]!]?.networks ?? [];
    return target.startsWith('localhost:') || joined.some((name) => mine.includes(name));
  };
  return [
    ...[...wanted, ...others].filter((target) => !asked.includes(target)).map((target) => `${target} is not asked`),
    ...asked
      .filter((target) => ![...wanted, ...others].includes(target))
      .map((target) => `${target} is asked, and no service of the stack`),
    ...asked.filter((target) => !reached(target)).map((target) => `${target} is in no network of prometheus`),
  ];
};

export const wiringChecks = {
  paths,
  published,
  opened,
  listening,
  variables,
  noPasswords,
  secretsOfOne,
  volumes,
  edges,
  networks,
  targets,
};
