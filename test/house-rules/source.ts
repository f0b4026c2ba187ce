import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAst } from 'vitest/node';

/** A node of the syntax tree (ESTree with TypeScript); `start` and `end` are offsets into the text. */
export interface SyntaxNode {
  type: string;
  start: number;
  end: number;
  [key: string]: unknown;
}

/** A node with where it hangs: `key` is the property of the parent that holds it. */
export interface Place {
  node: SyntaxNode;
  parent: SyntaxNode | undefined;
  key: string;
}

/** A file of the project; `path` is relative to its root and has forward slashes. */
export interface Source {
  path: string;
  text: string;
  /** Every node of the syntax tree, parents first; empty for files that are no programs. */
  places: readonly Place[];
}

export interface Import {
  node: SyntaxNode;
  /** What stands between the quotes. */
  specifier: string;
  /** Path from the project's root where the specifier is relative. */
  target: string | undefined;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
/** What is not ours to style: what git ignores, and bytes that others sent. */
const foreign = new Set([
  '.git',
  'node_modules',
  'data',
  '.cache',
  'test/recorded',
  'test/golden',
  'package-lock.json',
]);

export function isProgram(path: string): boolean {
  return /\.(ts|js|mjs)$/.test(path);
}

export function parseSource(path: string, text: string): Source {
  if (!isProgram(path)) return { path, text, places: [] };
  try {
    const program = parseAst(text, { lang: path.endsWith('.ts') ? 'ts' : 'js' }, path);
    return { path, text, places: [...placesOf(program as unknown as SyntaxNode)] };
  } catch (error) {
    throw new Error(`Cannot parse ${path}`, { cause: error });
  }
}

/** Every file of the project that is ours. */
export function readTree(): Source[] {
  return listFiles('').map((path) => parseSource(path, readFileSync(join(root, path), 'utf8')));
}

function listFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name);
    if (foreign.has(path)) return [];
    if (entry.isDirectory()) return listFiles(path);
    return entry.isFile() && !/\.(png|ico|woff2?|gz|log)$/.test(path) ? [path] : [];
  });
}

function* placesOf(node: SyntaxNode, parent?: SyntaxNode, key = ''): Generator<Place> {
  yield { node, parent, key };
  for (const [name, value] of Object.entries(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (typeof child?.type === 'string') yield* placesOf(child, node, name);
    }
  }
}

/** Static and dynamic imports, exports from, and `require` of a literal. */
export function importsOf(source: Source): Import[] {
  return source.places.flatMap(({ node }) => {
    const literal = importedLiteral(node);
    if (typeof literal?.value !== 'string') return [];
    const specifier = literal.value;
    const isRelative = /^\.\.?(\/|$)/.test(specifier);
    return [{ node, specifier, target: isRelative ? posix.join(posix.dirname(source.path), specifier) : undefined }];
  });
}

function importedLiteral(node: SyntaxNode): SyntaxNode | undefined {
  if (/^(Import|ExportNamed|ExportAll)(Declaration|Expression)$/.test(node.type)) return node.source as SyntaxNode;
  if (node.type === 'TSImportType') return (node.source ?? node.argument) as SyntaxNode;
  const isRequire = node.type === 'CallExpression' && nameOf(node.callee) === 'require';
  return isRequire ? (node.arguments as SyntaxNode[])[0] : undefined;
}

/** `Date.now` for that member expression, `process` for an identifier, undefined for what has no such name. */
export function nameOf(node: unknown): string | undefined {
  const { type, name, object, property, computed, value } = (node ?? {}) as SyntaxNode;
  if (type === 'Identifier') return name as string;
  if (type !== 'MemberExpression') return undefined;
  const last = property as SyntaxNode;
  const key = computed ? (last.type === 'Literal' ? String(last.value) : undefined) : nameOf(last);
  const first = nameOf(object);
  return first === undefined || key === undefined || value !== undefined ? undefined : `${first}.${key}`;
}

/** Whether an identifier stands for a value here, and is not the name of a property, a type or an import. */
export function isReference({ node, parent, key }: Place): boolean {
  if (node.type !== 'Identifier' || !parent) return false;
  if (parent.type === 'MemberExpression') return key === 'object' || parent.computed === true;
  if (parent.type === 'Property') return key === 'value' || parent.computed === true;
  return !/^(TS(?!As|NonNull|Satisfies)|Import|Export|Method|PropertyDefinition)/.test(parent.type) || key === 'value';
}

export function lineOf(source: Source, offset: number): number {
  return source.text.slice(0, offset).split('\n').length;
}
