/** The house rules of DESIGN.md §9 and STYLE.md that a program can check. */
import {
  type Import,
  importsOf,
  isProgram,
  isReference,
  lineOf,
  nameOf,
  type Source,
  type SyntaxNode,
} from './source.ts';

export interface Rule {
  name: string;
  applies(path: string): boolean;
  /** A message for each fault of the file. `files` are the paths of all files of the project. */
  check(source: Source, files: ReadonlySet<string>): Fault[];
}
export interface Fault {
  offset: number;
  message: string;
}

const fileLinesMax = 400;
const functionLinesMax = 70;
const processes = ['edge', 'worker', 'sink', 'console', 'reconcile', 'simulator'];
const compositions = ['services/hookwatch.ts', 'services/parts.ts', 'services/kafka-parts.ts'];
const clientLibraries = ['chdb', '@clickhouse/client', 'node:sqlite', 'kafkajs', 'cockatiel'];
/** Packages without I/O, clock or random source. */
const corePackages = ['avsc', 'zod'];
const coreCrypto =
  /^(createHash|createHmac|createPublicKey|createSecretKey|createVerify|verify|timingSafeEqual|hash|constants|KeyObject)$/;
const impureNames = new Set([
  ...['process', 'performance', 'console', 'crypto', 'globalThis', 'global', 'fetch', 'Intl', 'Worker', 'WeakRef'],
  ...['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'],
]);
const impureMembers = new Set(['Date.now', 'Math.random', 'Temporal.Now']);
const localeMethods = new Set(['localeCompare', 'toLocaleString', 'toLocaleDateString', 'toLocaleTimeString']);

const isFunction = /^(ArrowFunctionExpression|FunctionExpression|FunctionDeclaration)$/;

const inServices = (path: string) => path.startsWith('services/') && isProgram(path);
const inCore = (path: string) => path.startsWith('services/core/') && isProgram(path);
const processOf = (path: string) => processes.find((name) => path.startsWith(`services/${name}/`));
const isOrWithin = (specifier: string, name: string) => specifier === name || specifier.startsWith(`${name}/`);
const onImport = (source: Source, check: (found: Import) => string | undefined): Fault[] =>
  importsOf(source).flatMap((found) => {
    const message = check(found);
    return message ? [{ offset: found.node.start, message }] : [];
  });

/** Adding a provider touches its folder and the registry's line; beside them, whatever speaks its API or plays its part. */
function mayKnow(path: string, provider: string): boolean {
  const own = [
    `services/core/providers/${provider}/`,
    `services/reconcile/${provider}`,
    `services/ports/provider-api/${provider}`,
    `services/commands/subscribe/${provider}`,
    'services/simulator/',
  ];
  return path === 'services/core/providers/providers.ts' || own.some((place) => path.startsWith(place));
}

export const rules: readonly Rule[] = [
  {
    name: 'core imports only core and what is pure',
    applies: inCore,
    check: (source) =>
      onImport(source, ({ node, specifier, target }) => {
        if (target !== undefined) return inCore(target) ? undefined : `core imports ${target}`;
        if (specifier === 'node:crypto') return impureCrypto(node);
        if (specifier === 'node:buffer') return undefined;
        return corePackages.some((name) => isOrWithin(specifier, name)) ? undefined : `core imports ${specifier}`;
      }),
  },
  { name: 'core has no clock, random source, environment or timer', applies: inCore, check: findImpurity },
  {
    name: 'processes never import each other; only hookwatch.ts, parts.ts and kafka-parts.ts choose parts',
    applies: (path) => inServices(path) && !compositions.includes(path),
    check: (source) =>
      onImport(source, ({ target }) => {
        const process = processOf(target ?? '');
        return process === undefined || process === processOf(source.path)
          ? undefined
          : `imports the process ${process}`;
      }),
  },
  {
    name: "a provider's folder is known to the registry and to what is that provider's own",
    applies: inServices,
    check: (source) =>
      onImport(source, ({ target }) => {
        const provider = /^services\/core\/providers\/([^/]+)\//.exec(target ?? '')?.[1];
        return provider === undefined || mayKnow(source.path, provider)
          ? undefined
          : `imports the provider ${provider}`;
      }),
  },
  {
    name: 'client libraries stay behind the ports',
    applies: (path) => inServices(path) && !path.startsWith('services/ports/'),
    check: (source) =>
      onImport(source, ({ specifier }) =>
        clientLibraries.some((name) => isOrWithin(specifier, name))
          ? `imports ${specifier} outside of a port`
          : undefined,
      ),
  },
  {
    name: 'metrics are declared in telemetry.ts',
    applies: (path) => inServices(path) && path !== 'services/telemetry.ts',
    check: (source) =>
      onImport(source, ({ specifier }) => (isOrWithin(specifier, 'prom-client') ? 'imports prom-client' : undefined)),
  },
  {
    name: 'the environment is read in config.ts',
    applies: (path) => inServices(path) && path !== 'services/config.ts',
    check: (source) =>
      source.places.flatMap(({ node }) => {
        const taken =
          node.type === 'VariableDeclarator' &&
          nameOf(node.init) === 'process' &&
          /^\{.*\benv\b/s.test(textOf(source, node.id as SyntaxNode));
        const imported = node.type === 'ImportSpecifier' && nameOf(node.imported) === 'env';
        const read = /^((globalThis|global)\.)?process\.env$/.test(nameOf(node) ?? '');
        return taken || imported || read ? [{ offset: node.start, message: 'reads process.env' }] : [];
      }),
  },
  {
    name: 'a relative import names a file with its ending',
    applies: isProgram,
    check: (source, files) =>
      onImport(source, ({ specifier, target }) =>
        target === undefined || files.has(target) ? undefined : `${specifier} is not a file of the project`,
      ),
  },
  {
    name: 'a port has two to five methods',
    applies: (path) => /^services\/ports\/([^/]+)\/\1\.ts$/.test(path),
    check: checkPort,
  },
  {
    name: 'files are named after what they hold',
    applies: () => true,
    check: ({ path }) => {
      const empty = path.split('/').find((part) => /(^|[-_.])(utils?|common|helpers?|managers?)([-_.]|$)/i.test(part));
      return empty ? [{ offset: 0, message: `the name ${empty} says nothing` }] : [];
    },
  },
  {
    name: `files have at most ${fileLinesMax} lines`,
    applies: (path) => isProgram(path) && !path.endsWith('/generated.ts'),
    check: ({ text }) => {
      const lines = text.trimEnd().split('\n').length;
      return lines > fileLinesMax ? [{ offset: 0, message: `${lines} lines` }] : [];
    },
  },
  { name: `functions have at most ${functionLinesMax} lines`, applies: isProgram, check: findLongFunctions },
  {
    name: 'no test is skipped, left to do, or run alone',
    applies: (path) => path.startsWith('test/'),
    check: findSkips,
  },
  {
    name: 'no path of somebody’s machine, no registry',
    applies: () => true,
    check: (source) => findText(source, /(?<![\w.}])\/(?:work|home|root|Users)\/|\b(?:registry\.npmjs|pypi)\.org\b/g),
  },
  {
    name: 'what is left to do stands in an issue',
    applies: () => true,
    check: (source) => findText(source, /\b(?:TO[D]O|FIX[M]E|X[X]X)\b(?!\(#\d+\))/g),
  },
];

/** The faults of a rule in a tree, as `path:line: message`. */
export function findFaults(rule: Rule, tree: readonly Source[]): string[] {
  const files = new Set(tree.map(({ path }) => path));
  return tree
    .filter(({ path }) => rule.applies(path))
    .flatMap((source) =>
      rule.check(source, files).map(({ offset, message }) => `${source.path}:${lineOf(source, offset)}: ${message}`),
    );
}

function impureCrypto(node: SyntaxNode): string | undefined {
  const specifiers = (node.specifiers ?? []) as SyntaxNode[];
  if (specifiers.length === 0) return 'core imports node:crypto as a whole: name what it uses';
  for (const { type, imported } of specifiers) {
    if (type === 'ImportSpecifier' && coreCrypto.test(nameOf(imported) ?? '')) continue;
    return `core imports ${nameOf(imported) ?? 'everything'} from node:crypto`;
  }
  return undefined;
}

function findImpurity({ places }: Source): Fault[] {
  return places.flatMap((place) => {
    const { node } = place;
    const name = nameOf(node);
    const fault = (message: string) => [{ offset: node.start, message }];
    if (isReference(place) && impureNames.has(name ?? '')) return fault(`uses ${name}`);
    if (node.type === 'MemberExpression') {
      if (impureMembers.has(name ?? '')) return fault(`uses ${name}`);
      const method = nameOf(node.property) ?? '';
      if (localeMethods.has(method)) return fault(`${method} depends on the machine's locale`);
    }
    const makesDate = node.type === 'CallExpression' || node.type === 'NewExpression';
    if (!makesDate || nameOf(node.callee) !== 'Date') return [];
    const readsClock = node.type === 'CallExpression' || (node.arguments as unknown[]).length === 0;
    return readsClock ? fault('reads the clock with Date') : [];
  });
}

function checkPort({ path, places }: Source): Fault[] {
  const stem = path.split('/').at(-1)!.replace('.ts', '').replaceAll('-', '');
  const port = places.find(
    ({ node }) => node.type === 'TSInterfaceDeclaration' && nameOf(node.id)?.toLowerCase() === stem,
  );
  if (!port) return [{ offset: 0, message: 'holds no interface of its name' }];
  const members = (port.node.body as { body: SyntaxNode[] }).body;
  if (members.length >= 2 && members.length <= 5) return [];
  return [{ offset: port.node.start, message: `${nameOf(port.node.id)} has ${members.length} members` }];
}

/**
 * Lines of functions inside of a function count for those only: a factory that returns an object of functions is no
 * longer than a class would be. The callback of `describe` only groups tests.
 */
function findLongFunctions(source: Source): Fault[] {
  const functions = source.places.filter(({ node }) => isFunction.test(node.type));
  return functions.flatMap(({ node, parent }) => {
    if (parent?.type === 'CallExpression' && /^describe\b/.test(textOf(source, parent.callee as SyntaxNode))) return [];
    const inside = functions.filter((other) => other.node.start > node.start && other.node.end <= node.end);
    const outermost = inside.filter(
      (inner) => !inside.some((other) => other.node.start < inner.node.start && other.node.end >= inner.node.end),
    );
    const breaks = outermost.reduce((sum, inner) => sum - breaksIn(source, inner.node), breaksIn(source, node));
    return breaks + 1 > functionLinesMax ? [{ offset: node.start, message: `a function of ${breaks + 1} lines` }] : [];
  });
}

function breaksIn(source: Source, node: SyntaxNode): number {
  return textOf(source, node).split('\n').length - 1;
}

function findSkips(source: Source): Fault[] {
  return source.places.flatMap(({ node }) => {
    const name = nameOf(node) ?? '';
    const skips =
      (node.type === 'MemberExpression' &&
        /^(test|it|describe|suite|context|ctx)\..*\b(skip|only|todo|skipIf|runIf|fails)$/.test(name)) ||
      (node.type === 'CallExpression' && /^(xit|xtest|xdescribe|fit|fdescribe)$/.test(nameOf(node.callee) ?? ''));
    return skips ? [{ offset: node.start, message: `${textOf(source, node).slice(0, 40)} leaves tests out` }] : [];
  });
}

function findText({ text }: Source, pattern: RegExp): Fault[] {
  return [...text.matchAll(pattern)].map(({ index, 0: match }) => ({ offset: index, message: match }));
}

function textOf({ text }: Source, { start, end }: SyntaxNode): string {
  return text.slice(start, end);
}
