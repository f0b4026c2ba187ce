/**
 * What an installation makes for itself at its first start and keeps in its data folder: the passwords of ClickHouse's
 * users and the simulator's key pair. Nothing of it is ever logged.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Config } from './config.ts';

export interface Secrets {
  /** Password of ClickHouse's user `hookwatch`, which the sink uses. */
  sinkPassword: string;
  analystPassword: string;
  /** Public half of the simulator's key; undefined where no tenant is a demo. */
  demoKeyPem: string | undefined;
}

export function analystPasswordFile(dataFolder: string): string {
  return join(dataFolder, 'secrets', 'analyst.password');
}

/** Makes what is missing, once, and reads all of it. */
export function prepareSecrets(config: Config): Secrets {
  const folder = join(config.dataFolder, 'secrets');
  return {
    sinkPassword: keep(join(folder, 'hookwatch.password'), newPassword),
    analystPassword: config.analystPassword ?? keep(analystPasswordFile(config.dataFolder), newPassword),
    demoKeyPem: config.tenants.some((tenant) => tenant.demo) ? prepareDemoKey(config.dataFolder) : undefined,
  };
}

export function newPassword(): string {
  return randomBytes(24).toString('base64url');
}

/** The public half of the simulator's key; both lie in `demo` of the folder, and are made when they are not there. */
export function prepareDemoKey(dataFolder: string): string {
  const folder = join(dataFolder, 'demo');
  const pair = () => generateKeyPairSync('rsa', { modulusLength: 2048 });
  const privatePem = keep(join(folder, 'private.pem'), () => {
    const { privateKey, publicKey } = pair();
    replace(join(folder, 'public.pem'), publicKey.export({ type: 'spki', format: 'pem' }).toString());
    return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  });
  return privatePem && readFileSync(join(folder, 'public.pem'), 'utf8');
}

/** The text of a file that only its owner may read, or whoever `mode` says; made when it is not there. */
export function keep(file: string, make: () => string, mode = 0o600): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const text = make();
    replace(file, `${text}\n`, mode);
    return text;
  }
}

/** Whoever reads the file meanwhile, or after a loss of power, has all of the old text or all of the new one. */
export function replace(file: string, text: string, mode = 0o600): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const descriptor = openSync(`${file}.new`, 'w', mode);
  try {
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(`${file}.new`, file);
}
