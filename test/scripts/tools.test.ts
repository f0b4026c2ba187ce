import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  goProblem,
  makeRecipe,
  prometheusRelease,
  readRecipe,
  requiredVersion,
  tools,
} from '../../scripts/tool-recipes.mjs';

const script = fileURLToPath(new URL('../../scripts/tools.mjs', import.meta.url));
/** `<name>-<version>` of each tool. */
const folders = tools.map((tool) => basename(readRecipe(tool).folder)).toSorted();
const [caddy = '', , compose = '', promtool = ''] = folders;

/**
 * Stands in for Go: its version, the folder of a module, and a build that writes a file, unless `fails` names its package.
 * `stopped`: somebody stops the builder meanwhile. `other`: another one puts this into the cache meanwhile.
 */
const fakeGo = `#!/bin/sh
echo "$* [$CGO_ENABLED,$GOFLAGS,$GOOS,$GOARCH,$GOWORK]" >>"$FAKE/calls"
case "$1" in
version) cat "$FAKE/version" ;;
list) echo "$FAKE/module" ;;
build)
  echo 'some/package' >&2
  while [ "$1" != -o ]; do shift; done
  grep -q "^$3\\$" "$FAKE/fails" && { echo 'undefined: Thing' >&2; exit 3; }
  [ -e "$FAKE/stopped" ] && { kill -TERM "$PPID"; exec sleep 60; }
  [ -d "$FAKE/other" ] && cp -r "$FAKE/other/." "$HOOKWATCH_TOOLS_CACHE"
  echo built >"$2"
  ;;
esac
`;

/** A cache of its own, and Go's part played by a script. */
function createChest({ version = 'go version go1.26.8 linux/amd64', fails = '' } = {}) {
  const fake = mkdtempSync(join(tmpdir(), 'hookwatch-tools-'));
  onTestFinished(() => rmSync(fake, { recursive: true }));
  const cache = join(fake, 'cache');
  mkdirSync(join(fake, 'bin'));
  mkdirSync(join(fake, 'module/schema'), { recursive: true });
  writeFileSync(join(fake, 'module/schema/compose-spec.json'), '{}');
  writeFileSync(join(fake, 'version'), version);
  writeFileSync(join(fake, 'fails'), fails);
  writeFileSync(join(fake, 'calls'), '');
  writeFileSync(join(fake, 'bin/go'), fakeGo);
  chmodSync(join(fake, 'bin/go'), 0o755);
  const run = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
      encoding: 'utf8',
      env: {
        ...process.env,
        PATH: `${join(fake, 'bin')}${delimiter}${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
        FAKE: fake,
        HOOKWATCH_TOOLS_CACHE: cache,
        GOFLAGS: '-mod=mod',
        GOARCH: 'mips',
      },
    });
    return { status, stdout, stderr };
  };
  const calls = () => readFileSync(join(fake, 'calls'), 'utf8').trim().split('\n');
  const builds = () => calls().filter((call) => call.startsWith('build'));
  return { fake, cache, run, builds, cached: () => (existsSync(cache) ? readdirSync(cache).toSorted() : []) };
}

describe('tools.mjs', () => {
  test('builds each tool once, from what is pinned, whatever Go was told otherwise', () => {
    const chest = createChest();
    expect(chest.run()).toMatchObject({ status: 0, stderr: '' });
    expect(chest.cached()).toEqual(folders);
    expect(chest.builds()).toHaveLength(tools.length);
    for (const call of chest.builds()) expect(call).toMatch(/-mod=readonly -trimpath -buildvcs=false .*\[0,,,,off\]$/);
    expect(readFileSync(join(chest.cache, caddy, 'caddy'), 'utf8')).toBe('built\n');
    expect(readFileSync(join(chest.cache, compose, 'compose-spec.json'), 'utf8')).toBe('{}');
    // What is ours is in the folder where Go runs.
    expect(chest.builds().filter((call) => / \. \[/.test(call))).toHaveLength(1);

    expect(chest.run()).toMatchObject({ status: 0, stdout: expect.stringContaining(`${caddy}/caddy`) });
    expect(chest.builds()).toHaveLength(tools.length);
  });

  test('builds only the tools that it is given', () => {
    const chest = createChest();
    expect(chest.run('promtool').status).toBe(0);
    expect(chest.cached()).toEqual([promtool]);
  });

  test('builds anew what another recipe has built', () => {
    const chest = createChest();
    chest.run('caddy');
    writeFileSync(join(chest.cache, caddy, 'recipe.sha256'), 'another\n');
    writeFileSync(join(chest.cache, caddy, 'caddy'), 'old');
    expect(chest.run('--check', 'caddy')).toMatchObject({
      status: 1,
      stdout: `${caddy.replace('-', ' ')}: not built\n`,
    });
    expect(chest.run('caddy').status).toBe(0);
    expect(readFileSync(join(chest.cache, caddy, 'caddy'), 'utf8')).toBe('built\n');
    expect(chest.run('--check', 'caddy').status).toBe(0);
  });

  test('leaves in place what another run has built meanwhile', () => {
    const chest = createChest();
    const other = createChest();
    other.run('caddy');
    mkdirSync(join(chest.fake, 'other'));
    writeFileSync(join(other.cache, caddy, 'caddy'), 'in use');
    spawnSync('cp', ['-r', join(other.cache, caddy), join(chest.fake, 'other')]);
    expect(chest.run('caddy').status).toBe(0);
    expect(readFileSync(join(chest.cache, caddy, 'caddy'), 'utf8')).toBe('in use');
    expect(chest.cached()).toEqual([caddy]);
  });

  test('--check builds nothing', () => {
    const chest = createChest();
    expect(chest.run('--check')).toMatchObject({
      status: 1,
      stdout: expect.stringMatching(/^promtool [\d.]+: not built$/m),
    });
    expect(chest.cached()).toEqual([]);
  });

  test('a build that fails shows what Go printed, and leaves nothing', () => {
    const chest = createChest({ fails: 'github.com/prometheus/prometheus/cmd/promtool' });
    const { status, stderr } = chest.run();
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: `Cannot build ${promtool.replace('-', ' ')}: go ended with code 3\nsome/package\nundefined: Thing\n`,
    });
    expect(chest.cached()).toEqual([caddy]);
  });

  test('stopped, it stops Go and leaves nothing', () => {
    const chest = createChest();
    writeFileSync(join(chest.fake, 'stopped'), '');
    expect(chest.run()).toMatchObject({ status: 1, stderr: expect.stringContaining('go ended with SIGTERM') });
    expect(chest.builds()).toHaveLength(1);
    expect(chest.cached()).toEqual([]);
  });

  test('says which Go is needed', () => {
    const chest = createChest({ version: 'go version go1.19.8 linux/amd64' });
    expect(chest.run()).toMatchObject({ status: 1, stderr: expect.stringMatching(/install Go 1\.26\.0 .*1\.19\.8/) });
    expect(chest.cached()).toEqual([]);
  });

  test.each([['nothing'], ['--force']])('does not guess what %s is', (arg) => {
    const chest = createChest();
    expect(chest.run(arg)).toMatchObject({ status: 2, stderr: expect.stringContaining(`Unknown: ${arg}\nUsage:`) });
    expect(chest.cached()).toEqual([]);
  });
});

describe('a recipe', () => {
  const tool = tools.find(({ name }) => name === 'promtool')!;
  const goMod = 'module m\n\ngo 1.26.0\n\nrequire github.com/prometheus/prometheus v0.315.0\n';
  const recipe = (files: Parameters<typeof makeRecipe>[1] = { goMod, goSum: 'a' }, platform = 'linux-x64', of = tool) =>
    makeRecipe(of, files, platform, 'cache');

  test('has the version that people know, stamped into the program', () => {
    expect(recipe()).toMatchObject({ version: '3.15.0', goMin: '1.26.0', program: 'cache/promtool-3.15.0/promtool' });
    expect(recipe().flags).toContain('-ldflags=-s -w -X github.com/prometheus/common/version.Version=3.15.0');
  });

  test('has another digest as soon as anything decides otherwise', () => {
    const all = [
      recipe(),
      recipe({ goMod: `${goMod}\n`, goSum: 'a' }),
      recipe({ goMod, goSum: 'b' }),
      recipe({ goMod, goSum: 'a', own: ['package main'] }),
      recipe({ goMod, goSum: 'a' }, 'linux-arm64'),
      recipe({ goMod, goSum: 'a' }, 'linux-x64', { ...tool, tags: [] }),
      recipe({ goMod, goSum: 'a' }, 'linux-x64', { ...tool, source: 'cmd/prometheus' }),
      recipe({ goMod, goSum: 'a' }, 'linux-x64', { ...tool, extras: [{ module: 'm', path: 'p' }] }),
    ].map(({ digest }) => digest);
    expect(new Set(all).size).toBe(all.length);
    expect(recipe().digest).toBe(all[0]);
  });

  test('cannot be made of a go.mod that does not say enough', () => {
    expect(() => recipe({ goMod: 'go 1.26.0\n', goSum: '' })).toThrow(/go\.mod does not require it/);
    expect(() => recipe({ goMod: goMod.replace('go 1', 'Go 1'), goSum: '' })).toThrow(/no line "go <version>"/);
  });
});

test.each([
  { text: 'require a.b/c v1.2.3', version: '1.2.3' },
  { text: 'require (\n\ta.b/c/v2 v2.0.0\n\ta.b/c v1.2.4 // indirect\n)', version: '1.2.4' },
])('reads the version of a module in $text', ({ text, version }) => {
  expect(requiredVersion(text, 'a.b/c')).toBe(version);
});

test.each([
  ['0.305.1', '3.5.1'],
  ['0.315.0', '3.15.0'],
])('the module %s is Prometheus %s', (module, release) => expect(prometheusRelease(module)).toBe(release));

test('a version of Prometheus that follows another rule is not guessed', () => {
  expect(() => prometheusRelease('0.54.1')).toThrow(/0\.54\.1/);
});

test.each([
  { go: 'go version go1.26.0 linux/amd64', min: '1.26.0', problem: undefined },
  { go: 'go version go1.27 linux/arm64', min: '1.26.3', problem: undefined },
  { go: 'go version go2.0.1 linux/arm64', min: '1.26.3', problem: undefined },
  { go: 'go version go1.26.2 linux/amd64', min: '1.26.3', problem: 'this is 1.26.2' },
  { go: 'go version go1.9.7 linux/amd64', min: '1.26.0', problem: 'this is 1.9.7' },
  { go: 'undefined', min: '1.26.0', problem: 'install Go 1.26.0 or newer' },
])('$go, where $min is needed: $problem', ({ go, min, problem }) => {
  const found = goProblem(go, min);
  if (problem === undefined) expect(found).toBeUndefined();
  else expect(found).toContain(problem);
});
