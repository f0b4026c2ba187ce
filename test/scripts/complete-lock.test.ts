import { expect, test } from 'vitest';
import { findMissing, readPackageLock } from '../../scripts/complete-lock.ts';

const engine = {
  version: '3.0.0',
  optionalDependencies: { '@chdb/lib-linux-x64-gnu': '26.0.0', '@chdb/lib-darwin-arm64': '26.0.0' },
};

test('package-lock.json has the packages of every platform, or `npm ci` refuses it', () => {
  expect(findMissing(readPackageLock()), 'run `node scripts/complete-lock.ts`').toEqual({});
});

test('finds what a registry has left out, and for which platform it is', () => {
  const lock = { packages: { 'node_modules/chdb': { ...engine, dev: true } } };
  expect(findMissing(lock)).toEqual({
    '@chdb/lib-linux-x64-gnu': {
      version: '26.0.0',
      dev: true,
      os: ['linux'],
      cpu: ['x64'],
      libc: ['glibc'],
      optional: true,
    },
    '@chdb/lib-darwin-arm64': { version: '26.0.0', dev: true, os: ['darwin'], cpu: ['arm64'], optional: true },
  });
});

test('leaves alone what is there, at the top or within the package', () => {
  const there = { version: '26.0.0', optional: true };
  const packages = {
    'node_modules/chdb': engine,
    'node_modules/@chdb/lib-linux-x64-gnu': there,
    'node_modules/chdb/node_modules/@chdb/lib-darwin-arm64': there,
  };
  expect(findMissing({ packages })).toEqual({});
});

test('does not guess what a name does not say', () => {
  const lock = (name: string, version: string) => ({
    packages: { 'node_modules/a': { version: '1.0.0', optionalDependencies: { [name]: version } } },
  });
  expect(() => findMissing(lock('fsevents', '2.3.3'))).toThrow('no platform in its name');
  expect(() => findMissing(lock('a-linux-x64', '^1.0.0'))).toThrow('no exact version');
});
