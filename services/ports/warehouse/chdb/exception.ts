/**
 * Exceptions as ClickHouse's HTTP interface shows them: a number, a text, and a status that depends on the number
 * (its source: src/Server/HTTP/exceptionCodeToHTTPStatus.cpp).
 */

/** The numbers that the front gives by itself; the engine knows some hundreds more. */
export const exceptionCodes = {
  BAD_ARGUMENTS: 36,
  NOT_IMPLEMENTED: 48,
  SYNTAX_ERROR: 62,
  UNKNOWN_SETTING: 115,
  READONLY: 164,
  TOO_MANY_SIMULTANEOUS_QUERIES: 202,
  QUERY_IS_TOO_LARGE: 229,
  CANNOT_DECOMPRESS: 271,
  TOO_MANY_ROWS_OR_BYTES: 396,
  ACCESS_DENIED: 497,
  SET_NON_GRANTED_ROLE: 512,
  AUTHENTICATION_FAILED: 516,
} as const;

export type ExceptionName = keyof typeof exceptionCodes;

/** `message` is the whole body: `Code: 62. DB::Exception: Syntax error … (SYNTAX_ERROR) (version 26.7.2.1)`. */
export class ClickHouseException extends Error {
  readonly exceptionCode: number;

  constructor(exceptionCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exceptionCode = exceptionCode;
  }
}

/** An exception of the front. `text` is a sentence without the name. */
export function refuse(name: ExceptionName, text: string, options?: ErrorOptions): ClickHouseException {
  const code = exceptionCodes[name];
  return new ClickHouseException(code, `Code: ${code}. DB::Exception: ${text} (${name})`, options);
}

/** What the addon threw, as the server would word it. */
export function fromEngine(error: unknown, version: string): ClickHouseException {
  const text = (error as Error).message
    .replace(/^Query failed: /, '')
    // The embedded client wraps what the embedded server said into the same words once more.
    .replace(/^(?:Code: \d+\. DB::Exception: )+(Code: \d+\. DB::Exception: )/, '$1')
    .replace(/ \(version [^()]*\)\. \([A-Z_]+\)$/, '');
  const code = Number(/^Code: (\d+)\. /.exec(text)?.[1] ?? 1001);
  const named = /\([A-Z_0-9]+\)$/.test(text) ? text : `${text} (${code === 1001 ? 'STD_EXCEPTION' : 'UNKNOWN'})`;
  const body = text.startsWith('Code: ') ? named : `Code: 1001. DB::Exception: ${named}`;
  return new ClickHouseException(code, `${body} (version ${version} (embedded))`, { cause: error });
}

const statuses: readonly [status: number, codes: readonly number[]][] = [
  [400, [6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376, 427, 441, 675, 676]],
  [401, [194]],
  [403, [192, 193, 497, 512, 516]],
  [404, [46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511]],
  [408, [159]],
  [411, [381]],
  [413, [229]],
  [415, [779]],
  // ClickHouse says 500; 429 tells clients and balancers that a retry helps.
  [429, [202]],
  [501, [48]],
  [503, [76, 209, 439]],
];

const statusOf = new Map(statuses.flatMap(([status, codes]) => codes.map((code) => [code, status] as const)));

/** The HTTP status for an exception's number; 500 for those that have none of their own. */
export function statusForException(exceptionCode: number): number {
  return statusOf.get(exceptionCode) ?? 500;
}
