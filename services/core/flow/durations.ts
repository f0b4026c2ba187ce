export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;

/** The minute of a time, as a name that sorts by time. */
export function minuteOf(timeMs: number): string {
  return String(Math.floor(timeMs / minuteMs)).padStart(12, '0');
}

/** The hour of a time, likewise. */
export function hourOf(timeMs: number): string {
  return String(Math.floor(timeMs / hourMs)).padStart(9, '0');
}
