/**
 * Changes a body at random, as a tree, as text and as bytes: what a careless sender, a new version of a sender, a broken
 * proxy or an enemy might make of it. The same random numbers make the same bytes.
 */
import type { JsonObject, JsonValue } from '../../../../services/core/providers/json.ts';
import type { Random } from '../../../../services/simulator/random.ts';

/** JSON that JSON.stringify would not write. */
class Raw {
  readonly json: string;
  constructor(json: string) {
    this.json = json;
  }
}
type Tree = null | boolean | number | string | Raw | Tree[] | { [key: string]: Tree };

export interface Mutation {
  body: Buffer;
  /** What was done, for whoever reads of a failure. */
  how: string[];
}

export function mutate(body: JsonObject, random: Random): Mutation {
  const how: string[] = [];
  const pick = <T>(steps: Record<string, T>): T => {
    const name = random.pick(Object.keys(steps));
    how.push(name);
    return steps[name]!;
  };
  let tree: Tree = structuredClone(body);
  for (let count = random.between(0, 3); count > 0; count--) tree = pick(treeSteps)(tree, random);
  let text = write(tree);
  if (random.chance(0.2)) text = pick(textSteps)(text, random);
  const bytes = random.chance(0.25) ? pick(byteSteps)(text, random) : Buffer.from(text);
  return { body: bytes.subarray(0, bodyBytesMax), how };
}

/** What an edge takes. */
const bodyBytesMax = 256 * 1024;

type Slot = { holder: Tree[] | { [key: string]: Tree }; key: string };
type TreeStep = (tree: Tree, random: Random) => Tree;

const treeSteps: Record<string, TreeStep> = {
  'field removed': (tree, random) =>
    at(tree, random, ({ holder, key }) => {
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else delete holder[key];
    }),
  'value replaced': (tree, random) => at(tree, random, (slot) => put(slot, oddValue(random))),
  'half a pair in a text': (tree, random) => {
    const texts = slotsOf(tree).filter((slot) => typeof get(slot) === 'string');
    if (texts.length === 0) return tree;
    const slot = random.pick(texts);
    put(slot, splice(get(slot) as string, random, 0, random.pick(['\ud800', '\udfff'])));
    return tree;
  },
  'value in a list': (tree, random) => at(tree, random, (slot) => put(slot, [get(slot)])),
  'value in an object': (tree, random) => at(tree, random, (slot) => put(slot, { value: get(slot) })),
  'value in many lists': (tree, random) =>
    at(tree, random, (slot) => put(slot, new Raw(nested(random.chance(0.9) ? random.between(25, 40) : 50_000)))),
  'value many times': (tree, random) =>
    at(tree, random, (slot) => {
      const most = Math.min(300, Math.floor(bodyBytesMax / write(get(slot)).length));
      if (most > 2) put(slot, Array<Tree>(random.between(2, most)).fill(get(slot)));
    }),
  'value as text': (tree, random) => at(tree, random, (slot) => put(slot, write(get(slot)))),
  'text as value': (tree, random) =>
    at(tree, random, (slot) => {
      const value = get(slot);
      if (typeof value === 'string') put(slot, parsedOr(value, Number(value)));
    }),
  'JSON in a text changed': (tree, random) => {
    const inner = slotsOf(tree).filter((slot) => isObject(parsedOr(get(slot), null)));
    if (inner.length === 0) return tree;
    const slot = random.pick(inner);
    const step = treeSteps[random.pick(Object.keys(treeSteps))]!;
    put(slot, write(step(JSON.parse(get(slot) as string), random)));
    return tree;
  },
  'field renamed': (tree, random) =>
    at(tree, random, ({ holder, key }) => {
      if (Array.isArray(holder)) return;
      const value = holder[key]!;
      delete holder[key];
      define(holder, random.pick([key.toUpperCase(), `${key} `, ...oddNames]), value);
    }),
  'field added': (tree, random) =>
    at(tree, random, ({ holder }) => {
      if (!Array.isArray(holder)) define(holder, random.pick(oddNames), oddValue(random));
    }),
  'field twice': (tree, random) =>
    at(tree, random, (slot) => {
      const value = get(slot);
      if (!isObject(value) || Object.keys(value).length === 0) return;
      const double = `${JSON.stringify(random.pick(Object.keys(value)))}:${write(oddValue(random))}`;
      const text = write(value);
      put(slot, new Raw(random.chance(0.5) ? `{${double},${text.slice(1)}` : `${text.slice(0, -1)},${double}}`));
    }),
  'values exchanged': (tree, random) =>
    at(tree, random, (slot) => {
      const other = random.pick([slot, ...slotsOf(tree)]);
      const [value, another] = [get(slot), get(other)];
      // Never an object into itself.
      if (typeof value === 'object' || typeof another === 'object') return;
      put(slot, another);
      put(other, value);
    }),
  'all replaced': (_tree, random) => oddValue(random),
};

const oddNames = [
  '__proto__',
  'constructor',
  'toString',
  '',
  '\u0000',
  'x'.repeat(5_000),
  'ключ',
  'a.b',
  '\ud800',
  'id',
];

const oddTexts = [
  ...[
    '',
    ' ',
    '\u0000',
    '\ud800',
    'a\udfff\ud800b',
    '\u202e',
    '日本𝒳é',
    'x'.repeat(600),
    'x'.repeat(50_000),
    '\r\nX: 1',
  ],
  ...[
    'null',
    '{}',
    '[',
    '{"a":1}',
    '{"a":',
    'NaN',
    'true',
    '-1',
    '1e999',
    '__proto__',
    '<script>',
    "'; DROP TABLE x --",
  ],
  ...[
    '9999-99-99T99:99:99Z',
    '0000-01-01T00:00:00Z',
    '9999-12-31T23:59:59Z',
    '9999-12-31 23:59:59 UTC',
    '275760-09-13T00:00:00Z',
    '2015-07-07',
    '2015-07-07T14:00:28',
    '*',
  ],
  ...[
    '/v2/accounts/',
    '/v2/accounts/../..',
    '/v2/servers/A B/x',
    'en-US',
    'DEMO',
    'deleted',
    'Deleted',
    'a;b;c',
    ' - ',
  ],
  ...[
    'Status: SUCCESS - Account: TEST - Server: a - Account Policy Name: b',
    ' missed a backup expected at ',
    '\ufeff',
  ],
];
const oddJson = [
  ...[
    '9007199254740993',
    '-9007199254740993',
    '12345678901234567890123456789',
    '1e999',
    '-1e999',
    '-0',
    '1E-400',
    '0.1',
  ],
  ...[
    '"\\ud800"',
    '"\\u0000"',
    '{"__proto__":{"accountAlias":"EVIL","name":"x"}}',
    '{"constructor":{"prototype":{"x":1}}}',
  ],
  ...[nested(31), nested(33), nested(5_000), '[[]]', '[null]', '{"":{}}', '{"a":1,"a":2}', '[1,"a",{},[],null,true]'],
];

function nested(levels: number): string {
  return '['.repeat(levels) + ']'.repeat(levels);
}

function oddValue(random: Random): Tree {
  if (random.chance(0.45)) return random.pick(oddTexts);
  if (random.chance(0.5)) return new Raw(random.pick(oddJson));
  return random.pick<() => Tree>([() => null, () => true, () => false, () => 0, () => -1.5, () => ({}), () => []])();
}

type TextStep = (text: string, random: Random) => string;

const textSteps: Record<string, TextStep> = {
  'cut off': (text, random) => text.slice(0, random.between(0, text.length)),
  'beginning lost': (text, random) => text.slice(random.between(0, text.length)),
  'a character more': (text, random) =>
    splice(text, random, 0, random.pick([...'{}[]":,\\0x\u0000\n', '\ud800', '//'])),
  'a character less': (text, random) => splice(text, random, 1, ''),
  'another character': (text, random) => splice(text, random, 1, random.pick([...'{}[]":,\\0x\u0001'])),
  'single quotes': (text) => text.replaceAll('"', "'"),
  'a comma too many': (text) => text.replace(/\}$/, ',}'),
  'more behind it': (text, random) => text + random.pick(['x', '{}', '\u0000', ' ', text]),
  'blanks around it': (text) => `${' \t\r\n'.repeat(1_000)}${text}${' '.repeat(4_000)}`,
  'as a form': (text) => `payload=${encodeURIComponent(text.toWellFormed())}`,
  'escaped once more': (text) => JSON.stringify(text),
  'nothing left': () => '',
};

function splice(text: string, random: Random, removed: number, added: string): string {
  const place = random.between(0, text.length);
  return text.slice(0, place) + added + text.slice(place + removed);
}

type ByteStep = (text: string, random: Random) => Buffer;

const utf16 = (text: string, bigEndian: boolean) => {
  const bytes = Buffer.from(text, 'utf16le');
  return bigEndian ? bytes.swap16() : bytes;
};

const byteSteps: Record<string, ByteStep> = {
  'UTF-16, little end first': (text) => utf16(text, false),
  'UTF-16, big end first': (text) => utf16(text, true),
  'UTF-16 with its mark': (text, random) => utf16(`\ufeff${text}`, random.chance(0.5)),
  'UTF-8 with its mark': (text) => Buffer.from(`\ufeff${text}`),
  'UTF-8 with two marks': (text) => Buffer.from(`\ufeff\ufeff${text}`),
  'Latin-1': (text) => Buffer.from(`${text.slice(0, -1)},"é":"ü"}`, 'latin1'),
  'UTF-32': (text) =>
    Buffer.concat([...text.slice(0, 2_000)].map((char) => Buffer.from([char.codePointAt(0)! & 255, 0, 0, 0]))),
  'invalid UTF-8': (text, random) =>
    insert(
      Buffer.from(text),
      random,
      Buffer.from(random.pick(['ff', 'c080', 'eda080', 'f4908080', 'e282', '80']), 'hex'),
    ),
  'bits turned': (text, random) => {
    const bytes = Buffer.from(text);
    for (let count = random.between(1, 4); count > 0 && bytes.length > 0; count--) {
      bytes[random.between(0, bytes.length - 1)]! ^= 1 << random.between(0, 7);
    }
    return bytes;
  },
  'bytes of anything': (_text, random) => Buffer.from(random.hex(2 * random.between(0, 200)), 'hex'),
};

function insert(bytes: Buffer, random: Random, more: Buffer): Buffer {
  const place = random.between(0, bytes.length);
  return Buffer.concat([bytes.subarray(0, place), more, bytes.subarray(place)]);
}

/** Every place of the tree that holds a value. */
function slotsOf(tree: Tree): Slot[] {
  if (typeof tree !== 'object' || tree === null || tree instanceof Raw) return [];
  return Object.keys(tree).flatMap((key) => {
    const slot = { holder: tree, key };
    return [slot, ...slotsOf(get(slot))];
  });
}

function at(tree: Tree, random: Random, change: (slot: Slot) => void): Tree {
  // So that the whole body is a place, too.
  const root: { [key: string]: Tree } = { body: tree };
  const slots = slotsOf(root);
  const slot = slots.length > 1 ? random.pick(slots.slice(1)) : slots[0];
  if (slot) change(random.chance(0.05) ? slots[0]! : slot);
  return root.body ?? null;
}

function get({ holder, key }: Slot): Tree {
  return (holder as { [key: string]: Tree })[key]!;
}

function put({ holder, key }: Slot, value: Tree): void {
  define(holder as { [key: string]: Tree }, key, value);
}

/** Assignment would take `__proto__` for something else. */
function define(object: { [key: string]: Tree }, key: string, value: Tree): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

function isObject(value: unknown): value is { [key: string]: Tree } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Raw);
}

/** What is nested deeper than this stays text: the tree is gone through by functions that call themselves. */
const deep = '['.repeat(100);

function parsedOr(value: Tree, otherwise: Tree): Tree {
  try {
    return typeof value === 'string' && !value.includes(deep) ? (JSON.parse(value) as JsonValue) : otherwise;
  } catch {
    return otherwise;
  }
}

function write(tree: Tree): string {
  if (tree instanceof Raw) return tree.json;
  if (Array.isArray(tree)) return `[${tree.map(write).join(',')}]`;
  if (!isObject(tree)) return JSON.stringify(tree) ?? 'null';
  return `{${Object.entries(tree)
    .map(([key, value]) => `${JSON.stringify(key)}:${write(value)}`)
    .join(',')}}`;
}
