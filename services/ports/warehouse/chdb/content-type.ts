const contentTypes: readonly [pattern: RegExp, contentType: string][] = [
  [/^JSON(?:Compact)?(?:EachRow.*|StringsEachRow.*|LinesEachRow)$/i, 'application/x-ndjson; charset=UTF-8'],
  [/^(?:JSON|NDJSON)/i, 'application/json; charset=UTF-8'],
  [/^CSV/i, 'text/csv; charset=UTF-8; header=absent'],
  [/^(?:TSV|TabSeparated)/i, 'text/tab-separated-values; charset=UTF-8'],
  [
    /^(?:Pretty|Vertical|Values|Markdown|SQLInsert|Raw|LineAsString|Template|Custom|Hash)/i,
    'text/plain; charset=UTF-8',
  ],
  [/^XML$/i, 'application/xml; charset=UTF-8'],
  [/^Prometheus$/i, 'text/plain; version=0.0.4; charset=UTF-8'],
];

/** The media type of a ClickHouse format; bytes for the binary ones. */
export function contentTypeOf(format: string): string {
  return contentTypes.find(([pattern]) => pattern.test(format))?.[1] ?? 'application/octet-stream';
}
