/**
 * The flow's memory: tables of plain values by group and key, with the three things that its rules need.
 *
 * 1. A record on which the flow throws leaves no trace: `rollback` undoes what was set since `begin`, or since a mark.
 * 2. A snapshot is of one moment, yet is written bit by bit between steps: what a later step overwrites is kept aside
 *    until the snapshot has passed it (copy on write).
 * 3. Nothing may depend on the order of entries, for a restored table has another one: `sortedEntries` sorts.
 *
 * Values are JSON and are replaced, never changed in place.
 */

/** A value of a table: it must come back from JSON as it was. */
export type Group<V> = ReadonlyMap<string, V>;

export interface Table<V> {
  get(group: string, key: string): V | undefined;
  set(group: string, key: string, value: V): void;
  delete(group: string, key: string): void;
  /** All entries of a group, in no order that may be relied on. */
  group(group: string): Group<V>;
  sortedGroups(): string[];
  /** The first of them, without sorting the others. */
  firstGroup(): string | undefined;
  sortedEntries(group: string): [string, V][];
  /** Deletes all entries of a group. */
  deleteGroup(group: string): void;
  readonly size: number;
}

export interface Tables {
  /**
   * Declares a table. Each name once, before anything is restored. What the writer of a snapshot did not know of a value
   * takes its default.
   */
  table<V>(name: string, defaults?: V): Table<V>;
  begin(): void;
  /** What was set so far since `begin`, for a rollback that keeps it. */
  mark(): number;
  rollback(mark?: number): void;
  /** Encoded entries of all tables as they are now, however long the caller takes. One snapshot at a time. */
  snapshot(): Generator<Uint8Array, void, void>;
  /** Loads a snapshot's bytes, cut anywhere, into empty tables. Those of tables that were not declared are left out. */
  restore(chunks: Iterable<Uint8Array>): void;
  /** The same for bytes that come one after the other. */
  restorer(): Restorer;
}

export interface Restorer {
  take(chunk: Uint8Array): void;
  /** Throws where the bytes do not end with a whole entry. */
  end(): void;
}

/** What an entry holds; undefined where there is none, for no value is undefined. */
type Slot = unknown;
const entriesPerChunk = 500;
const newline = 0x0a;
const emptyGroup: ReadonlyMap<string, unknown> = new Map();

interface Store {
  name: string;
  defaults: object | undefined;
  groups: Map<string, Map<string, unknown>>;
  size: number;
  /** While a snapshot is under way: what entries of groups that it has not passed were at its beginning. */
  frozen: Map<string, Map<string, Slot>> | undefined;
  passed: Set<string>;
}

interface Undo {
  store: Store;
  group: string;
  key: string;
  before: Slot;
}

export function createTables(): Tables {
  const stores = new Map<string, Store>();
  let undo: Undo[] = [];

  function write(store: Store, group: string, key: string, value: Slot): void {
    let entries = store.groups.get(group);
    const before = entries?.get(key);
    undo.push({ store, group, key, before });
    freeze(store, group, key, before);
    if (value === undefined) {
      if (!entries?.delete(key)) return;
      store.size--;
      if (entries.size === 0) store.groups.delete(group);
      return;
    }
    if (!entries) {
      entries = new Map();
      store.groups.set(group, entries);
    }
    entries.set(key, value);
    if (before === undefined) store.size++;
  }

  function load(lines: string): void {
    for (const line of lines.split('\n')) {
      if (line === '') continue;
      const [name, group, key, value] = JSON.parse(line) as [string, string, string, object];
      const store = stores.get(name);
      // Another version's, from which this one takes over.
      if (!store) continue;
      write(store, group, key, store.defaults ? withDefaults(value, store.defaults) : value);
    }
    undo = [];
  }

  return {
    table<V>(name: string, defaults?: V): Table<V> {
      if (stores.has(name)) throw new Error(`Cannot declare table ${name}: it is declared already`);
      const store: Store = {
        name,
        defaults: defaults as object | undefined,
        groups: new Map(),
        size: 0,
        frozen: undefined,
        passed: new Set(),
      };
      stores.set(name, store);
      return {
        get: (group, key) => store.groups.get(group)?.get(key) as V | undefined,
        set: (group, key, value) => write(store, group, key, value),
        delete: (group, key) => write(store, group, key, undefined),
        group: (group) => (store.groups.get(group) ?? emptyGroup) as Group<V>,
        sortedGroups: () => [...store.groups.keys()].sort(),
        firstGroup() {
          let first: string | undefined;
          for (const group of store.groups.keys()) if (first === undefined || group < first) first = group;
          return first;
        },
        sortedEntries: (group) => sortByKey([...((store.groups.get(group) ?? emptyGroup) as Group<V>)]),
        deleteGroup(group) {
          for (const key of store.groups.get(group)?.keys() ?? []) write(store, group, key, undefined);
        },
        get size() {
          return store.size;
        },
      };
    },
    begin() {
      undo = [];
    },
    mark: () => undo.length,
    rollback(mark = 0) {
      const before = undo.slice(0, mark);
      for (const { store, group, key, before } of undo.slice(mark).reverse()) write(store, group, key, before);
      undo = before;
    },
    snapshot() {
      for (const store of stores.values()) {
        store.frozen = new Map();
        store.passed = new Set();
      }
      const chunks = encodeStores([...stores.values()]);
      // Begun here, so that one that is left unread can be ended, and keeps nothing aside from then on.
      chunks.next();
      return chunks as Generator<Uint8Array, void, void>;
    },
    restore(chunks) {
      const restorer = createRestorer(load);
      for (const chunk of chunks) restorer.take(chunk);
      restorer.end();
    },
    restorer: () => createRestorer(load),
  };
}

/** Its own members first: as it was when it was whole. */
function withDefaults(value: object, defaults: object): object {
  const missing = Object.entries(defaults).filter(([name]) => !Object.hasOwn(value, name));
  return missing.length === 0 ? value : { ...value, ...Object.fromEntries(missing) };
}

/** Hands on whole lines; what is left of a chunk waits for the next one. */
function createRestorer(load: (lines: string) => void): Restorer {
  let rest: Uint8Array[] = [];
  return {
    take(chunk) {
      const end = chunk.lastIndexOf(newline) + 1;
      if (end > 0) {
        load(Buffer.concat([...rest, chunk.subarray(0, end)]).toString('utf8'));
        rest = [];
      }
      if (end < chunk.length) rest.push(chunk.subarray(end));
    },
    end() {
      if (rest.length > 0) throw new Error('Cannot restore: the snapshot ends within an entry');
    },
  };
}

function freeze(store: Store, group: string, key: string, before: Slot): void {
  if (!store.frozen || store.passed.has(group)) return;
  let entries = store.frozen.get(group);
  if (!entries) {
    entries = new Map();
    store.frozen.set(group, entries);
  }
  if (!entries.has(key)) entries.set(key, before);
}

function* encodeStores(stores: Store[]): Generator<Uint8Array | undefined, void, void> {
  try {
    yield undefined;
    for (const store of stores) yield* encodeStore(store);
  } finally {
    for (const store of stores) store.frozen = undefined;
  }
}

/** The store as it was when its `frozen` was made. */
function* encodeStore(store: Store): Generator<Uint8Array, void, void> {
  const frozen = store.frozen!;
  let lines: string[] = [];
  const groups = new Set([...store.groups.keys(), ...frozen.keys()]);
  for (const group of groups) yield* encodeGroup(group);
  if (lines.length > 0) yield Buffer.from(`${lines.join('\n')}\n`);

  function* encodeGroup(group: string): Generator<Uint8Array, void, void> {
    // One entry after the other: to list them all first would stall the lane, where a group has very many.
    const done = new Set<string>();
    for (const keys of [() => store.groups.get(group)?.keys(), () => frozen.get(group)?.keys()]) {
      for (const key of keys() ?? []) {
        if (done.has(key)) continue;
        done.add(key);
        const before = frozen.get(group)?.has(key) ? frozen.get(group)!.get(key) : store.groups.get(group)?.get(key);
        if (before === undefined) continue;
        lines.push(JSON.stringify([store.name, group, key, before]));
        if (lines.length < entriesPerChunk) continue;
        yield Buffer.from(`${lines.join('\n')}\n`);
        lines = [];
      }
    }
    store.passed.add(group);
    frozen.delete(group);
  }
}

function sortByKey<V>(entries: [string, V][]): [string, V][] {
  return entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}
