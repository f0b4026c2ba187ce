/**
 * Completes package-lock.json after a change of dependencies: a registry that does not serve the optional packages of
 * other platforms leaves them out of the lock, and `npm ci` of npm 11 then refuses the lock on every machine. Their
 * versions are exact in the packages that want them, so they can be added; without a digest, which npm then does not
 * check. Packages that are in the lock are left as they are.
 */
import { readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

interface LockedPackage {
  version: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}
export interface PackageLock {
  packages: Record<string, LockedPackage>;
}

const lockFile = fileURLToPath(new URL('../package-lock.json', import.meta.url));

export function readPackageLock(): PackageLock {
  return JSON.parse(readFileSync(lockFile, 'utf8'));
}

/** Optional packages that a locked package wants and the lock lacks, by name, as they should stand in the lock. */
export function findMissing({ packages }: PackageLock): Record<string, LockedPackage> {
  const missing: Record<string, LockedPackage> = {};
  for (const [path, wanting] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(wanting.optionalDependencies ?? {})) {
      if (packages[`node_modules/${name}`] || packages[`${path}/node_modules/${name}`]) continue;
      const { os, cpu, libc } = platformOf(name, version);
      // In npm's own order, so that npm leaves the file as it is.
      missing[name] = { version, cpu, ...(wanting.dev ? { dev: true } : {}), ...libc, optional: true, os };
    }
  }
  return missing;
}

/** What a package's name says of its platform: `@chdb/lib-linux-arm64-gnu` is for Linux, arm64, glibc. */
function platformOf(name: string, version: string) {
  const match = /-(android|darwin|freebsd|linux|win32)-([a-z0-9]+)(?:-(gnu|musl|msvc))?$/.exec(name);
  if (!match || !/^\d/.test(version)) {
    throw new Error(`Cannot add ${name}@${version} to the lock: no platform in its name or no exact version`);
  }
  const [, os, cpu, libc] = match;
  const ofLinux = os === 'linux' ? { libc: [libc === 'musl' ? 'musl' : 'glibc'] } : {};
  return { os: [os!], cpu: [cpu!], libc: ofLinux };
}

// Not import.meta.main, which is younger than Node 24.0.
if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const lock = readPackageLock();
  const missing = Object.entries(findMissing(lock)).map(([name, entry]) => [`node_modules/${name}`, entry] as const);
  const sorted = [...Object.entries(lock.packages), ...missing].sort(([a], [b]) => a.localeCompare(b, 'en'));
  writeFileSync(lockFile, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`);
  console.log(`Added ${missing.length} packages to package-lock.json`);
}
