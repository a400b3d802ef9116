// @ts-check
// Numbers, times and sizes as people read them. Pure.

const DASH = '–';

/**
 * A length of time, two units at most: `8 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`.
 * @param {number} ms
 */
export function duration(ms) {
  if (!Number.isFinite(ms)) return DASH;
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return two(minutes, 'min', seconds % 60, 's');
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return two(hours, 'h', minutes % 60, 'min');
  return two(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

/** @param {number} big @param {string} bigUnit @param {number} small @param {string} smallUnit */
function two(big, bigUnit, small, smallUnit) {
  return small === 0 ? `${big} ${bigUnit}` : `${big} ${bigUnit} ${small} ${smallUnit}`;
}

/**
 * What is left of a time, to the second: `4:12`, `0:09`, `1:02:03`; from a day on as a length.
 * @param {number} ms
 */
export function countdown(ms) {
  if (!Number.isFinite(ms)) return DASH;
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const hours = Math.floor(seconds / 3600);
  if (hours >= 24) return duration(seconds * 1000);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(seconds % 60)}` : `${minutes}:${pad(seconds % 60)}`;
}

/**
 * How long ago, in one unit, because the rest does not matter then.
 * @param {number} ms
 */
export function age(ms) {
  if (!Number.isFinite(ms)) return DASH;
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 1) return 'now';
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/**
 * With thin spaces between thousands.
 * @param {number} number
 */
export function count(number) {
  return String(Math.trunc(number)).replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

/**
 * @param {number} number
 * @param {string} one
 * @param {string} [many]
 */
export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/**
 * Bytes in binary units: `812 B`, `1.4 MiB`.
 * @param {number} number
 */
export function bytes(number) {
  if (!Number.isFinite(number)) return DASH;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = Math.max(0, number);
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? Math.trunc(value) : value.toFixed(value < 100 ? 1 : 0)} ${units[unit]}`;
}

/**
 * Milliseconds between two times of the API; NaN where one is missing.
 * @param {string | null | undefined} from
 * @param {string | null | undefined} to
 */
export function between(from, to) {
  return from && to ? Date.parse(to) - Date.parse(from) : Number.NaN;
}

/**
 * A time of day by the reader's clock, with milliseconds: `14:03:07.120`.
 * @param {string} at
 */
export function clock(at) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return at;
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.${pad(date.getMilliseconds(), 3)}`;
}

/**
 * A date and time by the reader's clock: `2026-11-23 14:03:07`.
 * @param {string | null} at
 */
export function dateTime(at) {
  const date = new Date(at ?? '');
  if (Number.isNaN(date.getTime())) return DASH;
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day} ${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

/**
 * Since the run's start: `+0:07.1`, `+1:02:03.4`.
 * @param {string} at
 * @param {string | null} start
 */
export function since(at, start) {
  const ms = between(start, at);
  if (Number.isNaN(ms)) return clock(at);
  const tenths = Math.floor(Math.abs(ms) / 100);
  const seconds = Math.floor(tenths / 10);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const head = hours > 0 ? `${hours}:${pad(minutes % 60)}` : `${minutes}`;
  return `${ms < 0 ? '-' : '+'}${head}:${pad(seconds % 60)}.${tenths % 10}`;
}

/**
 * A store path without its directory and hash: `nixos-system-web1-25.05`.
 * @param {string} generation
 */
export function generationName(generation) {
  return generation.replace(/^\/nix\/store\/[0-9a-z]{32}-/, '');
}

/** @param {number} number @param {number} [digits] */
function pad(number, digits = 2) {
  return String(number).padStart(digits, '0');
}
