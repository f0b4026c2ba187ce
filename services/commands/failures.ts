/** What to tell people of a failure. Operational errors bear a code; what does not is a mistake of ours, and thrown on. */
export function explain(failure: unknown): string {
  if (failure instanceof Error && 'code' in failure) return failure.message;
  throw failure;
}
