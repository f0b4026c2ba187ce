/** A body as a person can read it. */
export type ReadableBody =
  | { encoding: 'utf-8'; bytes: number; json: boolean; text: string }
  | { encoding: 'base64'; bytes: number; json: false; text: string };

const depthMax = 64;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The body as text, indented if it is JSON; in base64 where it is not UTF-8. */
export function readBody(body: Uint8Array): ReadableBody {
  let text: string;
  try {
    text = decoder.decode(body);
  } catch {
    return { encoding: 'base64', bytes: body.length, json: false, text: Buffer.from(body).toString('base64') };
  }
  const indented = indentJson(text);
  return { encoding: 'utf-8', bytes: body.length, json: indented !== undefined, text: indented ?? text };
}

/**
 * JSON with a line per member, two spaces a level. Only the space between tokens changes: numbers, escapes and repeated
 * names stay as the sender wrote them, which JSON.parse would lose. Undefined for what is no JSON, or nested so deeply
 * that its indentation would outgrow it.
 */
export function indentJson(text: string): string | undefined {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  const parts: string[] = [];
  let depth = 0;
  let before = '';
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/g)) {
    const opened = before === '[' || before === '{';
    const closes = token === ']' || token === '}';
    if (closes) depth -= 1;
    // A line of its own for each member and each closing bracket, but none within empty brackets.
    if (before === ',' || opened !== closes) parts.push(breakLine(depth));
    parts.push(token);
    if (token === ':') parts.push(' ');
    if (token === '[' || token === '{') depth += 1;
    if (depth > depthMax) return undefined;
    before = token;
  }
  return parts.join('');
}

function breakLine(depth: number): string {
  return `\n${'  '.repeat(depth)}`;
}
