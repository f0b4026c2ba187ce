/** docker-compose.yml as Docker's own plug-in understands it, as far as a run of it goes. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { toolPath } from '../tools.ts';

export interface Project {
  networks: Record<string, { internal?: boolean } | null>;
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
}

export interface Service {
  image?: string;
  build?: { context: string; dockerfile?: string };
  profiles?: string[];
  entrypoint: string[] | null;
  command: string[] | null;
  environment?: Record<string, string | null>;
  user?: string;
  working_dir?: string;
  read_only?: boolean;
  cap_add?: string[];
  cap_drop?: string[];
  security_opt?: string[];
  init?: boolean;
  tmpfs?: string[];
  volumes?: Volume[];
  networks?: Record<string, { aliases?: string[] } | null>;
  network_mode?: string;
  ports?: { host_ip?: string; target: number; published?: string; protocol: string }[];
  sysctls?: Record<string, string | number>;
  depends_on?: Record<string, { condition: Condition; required: boolean }>;
  healthcheck?: HealthCheck;
  deploy?: { replicas?: number; resources?: { limits?: { memory?: string } } };
  scale?: number;
  mem_limit?: string;
  restart?: string;
  stop_grace_period?: string;
  stop_signal?: string;
}

export type Condition = 'service_started' | 'service_healthy' | 'service_completed_successfully';

export interface Volume {
  type: 'bind' | 'volume' | 'tmpfs';
  source: string;
  target: string;
  read_only?: boolean;
  volume?: { nocopy?: boolean };
}

export interface HealthCheck {
  disable?: boolean;
  test: string[];
  interval?: string;
  timeout?: string;
  start_period?: string;
  retries?: number;
}

export interface ComposeOptions {
  /** As a file .env would set them. */
  variables?: Record<string, string>;
  file?: string;
}

export const projectFolder = fileURLToPath(new URL('../../..', import.meta.url));

/** Whatever a service may say; a run must honour it or know why it need not. */
const knownKeys = new Set([
  ...['image', 'build', 'profiles', 'entrypoint', 'command', 'environment', 'user', 'working_dir', 'read_only'],
  ...['cap_add', 'cap_drop', 'security_opt', 'init', 'tmpfs', 'volumes', 'networks', 'network_mode', 'ports'],
  ...['depends_on', 'healthcheck', 'deploy', 'scale', 'mem_limit', 'stop_grace_period', 'stop_signal', 'sysctls'],
  // Not imitated: nothing may have to start twice, nothing is held to its share of the machine, nothing is logged. Docker's
  // init passes signals and exit codes on, which go here to the process itself.

  ...['restart', 'cpus', 'pids_limit', 'logging', 'ulimits', 'pull_policy', 'labels', 'shm_size', 'memswap_limit'],
]);

/** All services with those of all profiles. Nothing of this process's environment takes part. */
export function readProject({ variables = {}, file = 'docker-compose.yml' }: ComposeOptions = {}): Project {
  const args = ['--project-directory', projectFolder, '--file', file, '--env-file', '/dev/null', '--profile', '*'];
  const json = execFileSync(toolPath('docker-compose'), [...args, 'config', '--format', 'json'], {
    cwd: projectFolder,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: '/nonexistent', ...variables },
    maxBuffer: 16 * 1024 * 1024,
  });
  // What it prints is a compose file again: a dollar is written as two.
  const project = JSON.parse(json, (_, value) =>
    typeof value === 'string' ? value.replaceAll('$$', () => '$') : value,
  );
  for (const [name, service] of Object.entries(project.services as Record<string, Service>)) {
    const unknown = Object.keys(service).filter((key) => !knownKeys.has(key));
    if (unknown.length > 0) throw new Error(`This imitation knows nothing of ${unknown.join(', ')} of ${name}`);
  }
  return project;
}

/** A duration as Go writes it, in milliseconds. */
export function durationMs(text: string): number {
  const units: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g)];
  if (parts.map(([part]) => part).join('') !== text) throw new Error(`${text} is no duration`);
  return parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * units[unit]!, 0);
}

export function replicasOf({ deploy, scale }: Service): number {
  return scale ?? deploy?.replicas ?? 1;
}

/** Undefined: no limit. */
export function memoryBytesMax({ deploy, mem_limit }: Service): number | undefined {
  const limit = deploy?.resources?.limits?.memory ?? mem_limit;
  return limit === undefined ? undefined : Number(limit);
}
