/** Words for times, lengths and numbers. */

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const number = new Intl.NumberFormat('en-US');

/** @param {number} value */
export function formatNumber(value) {
  return number.format(value);
}

/**
 * The time on the clock, with the day where it is not today's.
 * @param {number} at milliseconds since 1970
 * @param {number} now
 */
export function formatClock(at, now) {
  const time = clock.format(at);
  return new Date(at).toDateString() === new Date(now).toDateString() ? time : `${day.format(at)} ${time}`;
}

/**
 * The instant in UTC, as ClickHouse shows it, and on the clock here where that differs.
 * @param {number} at milliseconds since 1970
 */
export function formatInstant(at) {
  const date = new Date(at);
  const utc = date.toISOString().replace('T', ' ').replace('Z', ' UTC');
  return date.getTimezoneOffset() === 0 ? utc : `${utc} (${clock.format(at)} here)`;
}

/** @param {number} at milliseconds since 1970 */
export function formatClockMs(at) {
  return `${clock.format(at)}.${String(at % 1000).padStart(3, '0')}`;
}

/**
 * How long ago, in one unit: 12 s, 4 min, 3 h, 2 d.
 * @param {number} at
 * @param {number} now
 */
export function formatAge(at, now) {
  const seconds = Math.floor((now - at) / 1000);
  if (seconds < 1) return 'now';
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/**
 * A length in its two largest units: 3 min 46 s.
 * @param {number} lengthMs
 */
export function formatLength(lengthMs) {
  const seconds = Math.round(lengthMs / 1000);
  /** @type {[number, string][]} */
  const units = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ];
  const first = units.findIndex(([count]) => count > 0);
  if (first < 0) return '0 s';
  const shown = units.slice(first, first + 2).filter(([count]) => count > 0);
  return shown.map(([count, unit]) => `${count} ${unit}`).join(' ');
}

/** @param {number} bytes */
export function formatBytes(bytes) {
  return bytes < 1024 ? `${bytes} bytes` : `${(bytes / 1024).toFixed(1)} kB`;
}
