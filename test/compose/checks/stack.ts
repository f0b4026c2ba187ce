/** The files that make the compose stack, parsed without any tool: what the checks beside this file look at. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

/** Texts of files, so that a test can change one. */
export interface StackFiles {
  compose: string;
  dockerfile: string;
  dockerignore: string;
  example: string;
  prometheus: string;
  /** package.json */
  manifest: string;
}

/** A volume, port or the like in the long form; the short ones are brought into it. */
export interface Mount {
  type: 'bind' | 'volume';
  source: string;
  target: string;
  read_only: boolean;
  nocopy: boolean;
}

export interface Service {
  image: string;
  build?: string;
  profiles?: string[];
  entrypoint?: string[];
  command?: string[];
  user?: string;
  read_only?: boolean;
  cap_drop?: string[];
  cap_add?: string[];
  security_opt?: string[];
  restart?: string;
  network_mode?: string;
  networks?: string[];
  environment: Record<string, string>;
  mounts: Mount[];
  /** address:port:port, interpolated. */
  ports: string[];
  depends_on: Record<string, { condition: string }>;
  healthcheck?: { test?: string[]; disable?: boolean };
  logging?: { driver: string; options?: Record<string, string> };
  deploy?: { resources?: { limits?: Record<string, string | number> } };
}

export interface Stack {
  files: StackFiles;
  services: Record<string, Service>;
  networks: string[];
  volumes: string[];
}

/** Says what is wrong, a line each; empty where all is well. */
export type Check = (stack: Stack) => string[];

const root = new URL('../../../', import.meta.url);
export const pathOf = (path: string) => fileURLToPath(new URL(path, root));
export const isThere = (path: string) => existsSync(pathOf(path));
export const textOf = (path: string) => readFileSync(pathOf(path), 'utf8');

export function readStackFiles(): StackFiles {
  return {
    compose: textOf('docker-compose.yml'),
    dockerfile: textOf('Dockerfile'),
    dockerignore: textOf('.dockerignore'),
    example: textOf('.env.example'),
    prometheus: textOf('dashboards/prometheus/prometheus.yml'),
    manifest: textOf('package.json'),
  };
}

export const variablePattern = /\$\{([A-Z][A-Z0-9_]*)(?::-([^}]*))?\}/g;

/** As compose does it where there is no .env. */
export function interpolate(text: string): string {
  return text.replace(variablePattern, (_, _name, byDefault = '') => byDefault);
}

export function parseStack(files: StackFiles): Stack {
  const document = parse(interpolate(files.compose), { merge: true, maxAliasCount: -1 });
  const services = Object.entries<Record<string, unknown>>(document.services).map(([name, fields]) => [
    name,
    {
      ...fields,
      environment: Object.fromEntries(
        Object.entries(fields.environment ?? {}).map(([key, value]) => [key, String(value ?? '')]),
      ),
      mounts: ((fields.volumes ?? []) as (string | Record<string, unknown>)[]).map(mountOf),
      ports: (fields.ports ?? []) as string[],
      depends_on: fields.depends_on ?? {},
    },
  ]);
  return {
    files,
    services: Object.fromEntries(services),
    networks: Object.keys(document.networks),
    volumes: Object.keys(document.volumes),
  };
}

function mountOf(volume: string | Record<string, unknown>): Mount {
  if (typeof volume === 'string') {
    const [source = '', target = '', mode = 'rw'] = volume.split(':');
    const type = /^[./~]/.test(source) ? 'bind' : 'volume';
    return { type, source, target, read_only: mode === 'ro', nocopy: false };
  }
  const {
    type,
    source,
    target,
    read_only = false,
    volume: options = {},
  } = volume as unknown as Mount & {
    volume?: { nocopy?: boolean };
  };
  return { type, source, target, read_only, nocopy: options.nocopy ?? false };
}

/** Of the image that the Dockerfile makes. */
export function isOurs({ image }: Service): boolean {
  return image.startsWith('hookwatch:');
}

/** Runs, ends and is waited for; the others run on. */
export function isOneShot({ restart }: Service): boolean {
  return restart === 'no';
}
