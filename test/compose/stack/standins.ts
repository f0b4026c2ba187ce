/**
 * The images of others, stood in for by programs of this machine: the same settings, files, flags, folders and users,
 * other builds. Whatever is said of an image is taken from the file that it is built from; that is named with each.
 */
import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { jarsFolder } from '../../kafka/jars.ts';
import { programPath, toolPath } from '../tools.ts';
import { projectFolder } from './compose-file.ts';
import { type Folder, type Image, makeFolders, standardPath, writeProgram, writeUsers } from './image.ts';

interface StandIn {
  name: RegExp;
  folders: Folder[];
  users?: Image['users'];
  /** Program of this machine by its path in the image. */
  programs?: () => Record<string, string>;
  /** Text of a script by its path in the image. */
  scripts?: Record<string, string>;
  mounts?: Image['mounts'];
  environment?: Record<string, string>;
  entrypoint?: string[];
  command?: string[];
  workingFolder?: string;
  user: string;
}

const kafkaScript = (mainClass: string) => `#!/bin/bash
exec java \${KAFKA_HEAP_OPTS:--Xmx256M} -XX:TieredStopAtLevel=1 -cp '/opt/kafka/libs/*' ${mainClass} "$@"
`;

/**
 * What the image's `run`, `configureDefaults`, `configure` and `launch` come to where all is said by variables
 * (apache/kafka, docker/resources/common-scripts). KafkaDockerWrapper is Kafka's own: it makes the broker's settings
 * from the variables and formats its folders.
 */
const kafkaRun = `#!/bin/bash
set -e
export CLUSTER_ID=\${CLUSTER_ID:-5L6g3nShT-eMCtK--X86sw}
test -w /opt/kafka/config || { echo '/opt/kafka/config/ file not writable'; exit 1; }
result=$(/opt/kafka/bin/kafka-run-class.sh kafka.docker.KafkaDockerWrapper setup --default-configs-dir /etc/kafka/docker \\
  --mounted-configs-dir /mnt/shared/config --final-configs-dir /opt/kafka/config 2>&1) ||
  echo "$result" | grep -i 'already formatted' || { echo "$result"; exit 1; }
KAFKA_HEAP_OPTS="\${KAFKA_HEAP_OPTS:--Xmx1G -Xms1G} -Dlog4j2.configurationFile=/opt/kafka/config/log4j2.yaml"
exec /opt/kafka/bin/kafka-run-class.sh kafka.Kafka /opt/kafka/config/server.properties
`;

const log4j = `Configuration:
  Appenders:
    Console:
      name: STDOUT
      PatternLayout:
        pattern: "[%d] %p %m (%c)%n"
  Loggers:
    Root:
      level: INFO
      AppenderRef:
        - ref: STDOUT
`;

/** The engine's metrics are on the port of its queries, a server's on one of their own. */
const metricsRelay = `const net = require("net");
net.createServer((from) => {
  const to = net.connect(8123, "127.0.0.1");
  for (const socket of [from, to]) socket.on("error", () => [from, to].forEach((either) => either.destroy()));
  from.pipe(to).pipe(from);
}).listen(9363);`;

/** The embedded engine, which keeps to passwords in files; the server is given hashes of them. */
const clickhouseScript = `#!/bin/sh
umask 077
/usr/local/bin/node -e '${metricsRelay}' &
mkdir -p /var/lib/clickhouse/standin/secrets
cd /standin
printf %s "$STANDIN_HOOKWATCH_PASSWORD" >/var/lib/clickhouse/standin/secrets/hookwatch.password
exec env HOOKWATCH_DATA=/var/lib/clickhouse/standin HOOKWATCH_HOST=0.0.0.0 UV_THREADPOOL_SIZE=8 \\
  HOOKWATCH_ANALYST_PASSWORD="$STANDIN_ANALYST_PASSWORD" HOOKWATCH_LOG_LEVEL=warn \\
  /usr/local/bin/node services/hookwatch.ts clickhouse
`;

/** `clickhouse su` resets supplementary groups for whoever calls it (ClickHouse #105247), which takes CAP_SETGID. */
const clickhouseEntryPoint = `#!/bin/sh
setpriv --clear-groups true && exec /usr/bin/clickhouse-server --config-file=/etc/clickhouse-server/config.xml
`;

const standIns: readonly StandIn[] = [
  {
    // apache/kafka, docker/jvm/Dockerfile
    name: /^apache\/kafka:/,
    users: { appuser: [1000, 1000] },
    folders: [
      ...['opt/kafka', 'opt/kafka/config', 'mnt/shared/config', 'usr/logs'].map((path) => owned(path, 1000, 1000)),
      ...['etc/kafka', 'etc/kafka/docker', 'etc/kafka/secrets', 'var/lib/kafka', 'var/lib/kafka/data'].map((path) => ({
        ...owned(path, 1000, 0),
        mode: 0o775,
      })),
    ],
    scripts: {
      'etc/kafka/docker/run': kafkaRun,
      'etc/kafka/docker/log4j2.yaml': log4j,
      'etc/kafka/docker/tools-log4j2.yaml': log4j,
      'opt/kafka/bin/kafka-run-class.sh': kafkaScript(''),
      'opt/kafka/bin/kafka-topics.sh': kafkaScript('org.apache.kafka.tools.TopicCommand'),
      'opt/kafka/bin/kafka-broker-api-versions.sh': kafkaScript('org.apache.kafka.tools.BrokerApiVersionsCommand'),
      'opt/kafka/bin/kafka-metadata-quorum.sh': kafkaScript('org.apache.kafka.tools.MetadataQuorumCommand'),
      'opt/kafka/bin/kafka-cluster.sh': kafkaScript('org.apache.kafka.tools.ClusterTool'),
    },
    mounts: [{ source: jarsFolder, target: '/opt/kafka/libs', readOnly: true }],
    command: ['/etc/kafka/docker/run'],
    user: 'appuser',
  },
  {
    // ClickHouse/ClickHouse, docker/server/Dockerfile.ubuntu
    name: /^clickhouse\/clickhouse-server:/,
    users: { clickhouse: [101, 101] },
    folders: [
      ...['var/lib/clickhouse', 'var/log/clickhouse-server', 'etc/clickhouse-server', 'etc/clickhouse-client'].map(
        (path) => ({ ...owned(path, 101, 101), mode: 0o777 }),
      ),
    ],
    programs: () => ({ 'usr/local/bin/node': process.execPath }),
    scripts: { 'usr/bin/clickhouse-server': clickhouseScript, 'entrypoint.sh': clickhouseEntryPoint },
    mounts: ['services', 'schemas', 'node_modules', 'package.json', 'package-lock.json', 'hookwatch.yaml'].map(
      (name) => ({ source: join(projectFolder, name), target: `/standin/${name}`, readOnly: true }),
    ),
    entrypoint: ['/entrypoint.sh'],
    user: 'root',
  },
  {
    // prometheus/prometheus, Dockerfile
    name: /^prom\/prometheus:/,
    users: { nobody: [65_534, 65_534] },
    folders: ['etc/prometheus', 'prometheus'].map((path) => owned(path, 65_534, 65_534)),
    programs: () => ({ 'usr/bin/prometheus': programPath('prometheus') }),
    entrypoint: ['/bin/prometheus'],
    command: ['--config.file=/etc/prometheus/prometheus.yml', '--storage.tsdb.path=/prometheus'],
    workingFolder: '/prometheus',
    user: 'nobody',
  },
  {
    // prometheus/alertmanager, Dockerfile
    name: /^prom\/alertmanager:/,
    users: { nobody: [65_534, 65_534] },
    folders: ['etc/alertmanager', 'alertmanager'].map((path) => owned(path, 65_534, 65_534)),
    programs: () => ({ 'usr/bin/alertmanager': programPath('alertmanager'), 'usr/bin/amtool': programPath('amtool') }),
    entrypoint: ['/bin/alertmanager'],
    command: ['--config.file=/etc/alertmanager/alertmanager.yml', '--storage.path=/alertmanager'],
    workingFolder: '/alertmanager',
    user: 'nobody',
  },
  {
    // caddyserver/caddy-docker, 2.11/alpine/Dockerfile
    name: /^caddy:/,
    folders: [
      ...['config', 'data', 'etc/caddy', 'srv'].map((path) => ({ path })),
      ...['config/caddy', 'data/caddy'].map((path) => ({ path, mode: 0o1777 })),
    ],
    programs: () => ({ 'usr/bin/caddy': toolPath('caddy') }),
    environment: { XDG_CONFIG_HOME: '/config', XDG_DATA_HOME: '/data' },
    command: ['caddy', 'run', '--config', '/etc/caddy/Caddyfile', '--adapter', 'caddyfile'],
    workingFolder: '/srv',
    user: 'root',
  },
];

function owned(path: string, uid: number, gid: number): Folder {
  return { path, uid, gid };
}

/**
 * `folder` is where its files are put.
 * @throws where nothing stands in for the image
 */
export function makeStandIn(image: string, folder: string, baseLayer: string): Image {
  const found = standIns.find(({ name }) => name.test(image));
  if (!found) throw new Error(`Nothing stands in for the image ${image}`);
  const { users = {}, folders, programs, scripts = {} } = found;
  makeFolders(folder, folders);
  writeUsers(folder, users);
  for (const [path, source] of Object.entries(programs?.() ?? {})) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    copyFileSync(source, join(folder, path));
  }
  for (const [path, text] of Object.entries(scripts)) writeProgram(folder, path, text);
  return {
    layers: [folder, baseLayer],
    mounts: found.mounts ?? [],
    usrOfMachine: true,
    environment: { PATH: standardPath, ...found.environment },
    entrypoint: found.entrypoint ?? [],
    command: found.command ?? [],
    workingFolder: found.workingFolder ?? '/',
    user: found.user,
    users,
  };
}
