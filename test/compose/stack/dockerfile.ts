/** A Dockerfile and a .dockerignore as far as this repository's own use them: what is unknown is an error. */

export interface Instruction {
  name: string;
  /** `--from=packages` and the like. */
  options: Record<string, string>;
  rest: string;
}

export interface Stage {
  from: string;
  as: string | undefined;
  instructions: Instruction[];
}

const known = new Set([
  ...['ARG', 'CMD', 'COPY', 'ENTRYPOINT', 'ENV', 'EXPOSE', 'HEALTHCHECK', 'LABEL', 'RUN', 'STOPSIGNAL', 'USER'],
  ...['VOLUME', 'WORKDIR'],
]);

/** @throws for an instruction that is not known */
export function parseDockerfile(text: string): Stage[] {
  const lines = text
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n')
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim());
  const stages: Stage[] = [];
  const values: Record<string, string> = {};
  for (const line of lines) {
    const { name, options, rest } = parseInstruction(substitute(line, values));
    if (name === 'ARG') {
      const [variable = '', value] = rest.split('=');
      values[variable] ??= value ?? '';
    } else if (name === 'FROM') {
      const [from = '', , as] = rest.split(/\s+/);
      stages.push({ from, as, instructions: [] });
    } else {
      if (!known.has(name)) throw new Error(`This imitation knows nothing of the instruction ${name}`);
      stages.at(-1)!.instructions.push({ name, options, rest });
    }
  }
  return stages;
}

/** Only what an ARG has set: all other dollars are the shell's. */
function substitute(line: string, values: Record<string, string>): string {
  if (/^\s*RUN\s/i.test(line)) return line;
  return line.replaceAll(/\$\{?(\w+)\}?/g, (whole, name: string) => values[name] ?? whole);
}

function parseInstruction(line: string): Instruction {
  const [, name = '', after = ''] = /^\s*(\w+)\s+(.*)$/s.exec(line) ?? [];
  const options: Record<string, string> = {};
  let rest = after.trim();
  for (let found = /^--([\w-]+)(?:=(\S+))?\s+/.exec(rest); found; found = /^--([\w-]+)(?:=(\S+))?\s+/.exec(rest)) {
    options[found[1]!] = found[2] ?? '';
    rest = rest.slice(found[0].length);
  }
  return { name: name.toUpperCase(), options, rest };
}

/** `["a", "b"]`, or words for a shell. */
export function commandOf(rest: string): string[] {
  return rest.startsWith('[') ? JSON.parse(rest) : ['/bin/sh', '-c', rest];
}

/** `A=1 B="2 3"`. */
export function variablesOf(rest: string): Record<string, string> {
  const pairs = [...rest.matchAll(/(\w+)=(?:"([^"]*)"|(\S*))/g)];
  return Object.fromEntries(pairs.map(([, name, quoted, plain]) => [name!, quoted ?? plain ?? '']));
}

/** Whether a path of the build context is left out: the last pattern that matches it, or a folder above it, decides. */
export function parseDockerignore(text: string): (path: string) => boolean {
  const patterns = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line && !line.startsWith('#'))
    .map((line) => {
      const negative = line.startsWith('!');
      const pattern = line.slice(negative ? 1 : 0).replace(/^\/|\/$/g, '');
      return { negative, expression: new RegExp(`^${asExpression(pattern)}(/.*)?$`) };
    });
  return (path) => {
    const last = patterns.findLast(({ expression }) => expression.test(path));
    return last !== undefined && !last.negative;
  };
}

function asExpression(pattern: string): string {
  return pattern.replaceAll(/\*\*\/?|[*?.+^${}()|[\]\\]/g, (sign) => {
    if (sign.startsWith('**')) return sign.endsWith('/') ? '(.*/)?' : '.*';
    if (sign === '*') return '[^/]*';
    return sign === '?' ? '[^/]' : `\\${sign}`;
  });
}
