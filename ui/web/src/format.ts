// SPDX-License-Identifier: Apache-2.0
//
// Times, amounts and sizes in words. Pure: the clock is an argument.

// Milliseconds since 1970 of an RFC 3339 time with up to nanoseconds, NaN when it is none.
export function parseTime(text: string | null | undefined): number {
  return text ? Date.parse(text.replace(/(\.\d{3})\d+/, '$1')) : NaN;
}

export function nsToIso(ns: string): string {
  const value = toBigInt(ns);
  const ms = value / 1000000n;
  if (ms > 8640000000000000n) return ns + ' ns';
  return new Date(Number(ms)).toISOString().slice(0, 19) + '.' + String(value % 1000000000n).padStart(9, '0') + 'Z';
}

// Nanoseconds as the API writes them; anything else counts as 0.
export function toBigInt(ns: string | null | undefined): bigint {
  return ns && /^\d{1,20}$/.test(ns) ? BigInt(ns) : 0n;
}

export function relativeTime(thenMs: number, nowMs: number): string {
  if (Number.isNaN(thenMs)) return '—';
  const seconds = Math.abs(nowMs - thenMs) / 1000;
  const sized = (): string => {
    if (seconds < 59.5) return `${Math.round(seconds)} s`;
    if (seconds < 3570) return `${Math.round(seconds / 60)} min`;
    if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
    if (seconds < 60 * 86400) return `${Math.floor(seconds / 86400)} d`;
    if (seconds < 730 * 86400) return `${Math.floor(seconds / (30.44 * 86400))} mo`;
    return `${Math.floor(seconds / (365.25 * 86400))} y`;
  };
  if (seconds < 1.5) return 'now';
  return thenMs > nowMs ? `in ${sized()}` : `${sized()} ago`;
}

// "2026-11-21 10:01:04.123 +01:00": the reader's own clock, zone said.
export function localTime(ms: number): string {
  if (Number.isNaN(ms)) return '—';
  const date = new Date(ms);
  const two = (n: number): string => String(n).padStart(2, '0');
  const offset = -date.getTimezoneOffset();
  const zone =
    offset === 0
      ? 'UTC'
      : (offset < 0 ? '-' : '+') + two(Math.floor(Math.abs(offset) / 60)) + ':' + two(Math.abs(offset) % 60);
  return (
    `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.` +
    `${String(date.getMilliseconds()).padStart(3, '0')} ${zone}`
  );
}

function threeDigits(value: number): string {
  if (value >= 99.95) return value.toFixed(0);
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

// A length of time given in milliseconds: "812 ns", "4.31 µs", "12.3 ms", "1.23 s", "2 min 05 s", "1 h 03 min".
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return '—';
  if (ms < 0) return '-' + duration(-ms);
  if (ms === 0) return '0';
  if (ms < 0.0009995) return `${Math.round(ms * 1e6)} ns`;
  if (ms < 0.9995) return `${threeDigits(ms * 1000)} µs`;
  if (ms < 999.5) return `${threeDigits(ms)} ms`;
  if (ms < 59995) return `${threeDigits(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}

// Exact, in groups of three with a thin space: "1 234 567".
export function exact(value: number | null | undefined): string {
  if (typeof value !== 'number' || !Number.isFinite(value)) return '—';
  return String(value).replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

// At most four characters: 999, 1.2k, 123k, 4.5M.
export function short(value: number): string {
  if (!Number.isFinite(value)) return '—';
  if (value < 1000) return String(Math.round(value));
  const units = ['k', 'M', 'G', 'T'];
  let unit = -1;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return (value < 9.95 ? value.toFixed(1) : value.toFixed(0)) + units[unit];
}

export function bytes(value: number | null | undefined): string {
  if (typeof value !== 'number' || !Number.isFinite(value)) return '—';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (value >= 1023.5 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return (unit === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(1)) + ' ' + units[unit];
}

export function percent(part: number, whole: number): string {
  if (!(whole > 0)) return '0 %';
  const value = (100 * part) / whole;
  if (part > 0 && value < 1) return '<1 %';
  if (part < whole && value > 99) return '99 %';
  return `${Math.round(value)} %`;
}

const nanosecond = 1e-6;

// Steps of 1, 2 or 5 times a power of ten milliseconds inside [from, to], at most `most` of them. No time is shorter than
// a nanosecond: a request of which only one error is left has no more than two marks.
export function ticks(from: number, to: number, most: number): number[] {
  const length = to - from;
  if (!(length > 0) || most < 1) return [];
  const rough = Math.max(length / most, nanosecond);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(n => n * power).find(n => n >= rough * 0.999999) ?? 10 * power;
  const found: number[] = [];
  for (let i = Math.ceil(from / step - 1e-9) + 0; i * step <= to + step * 1e-9 && found.length <= most; i++)
    found.push(i * step);
  return found;
}

// "1 span", "2 spans".
export function plural(n: number, word: string, many = word + 's'): string {
  return `${exact(n)} ${n === 1 ? word : many}`;
}

const typeShown = 44;

// "com.example.very.long.NotFoundException" as "…NotFoundException" where a list has no room for all of it.
export function shortType(type: string): string {
  if (type.length <= typeShown || !/^[\w$]+([.:\\]+[\w$]+)+$/.test(type)) return type;
  return '…' + /[\w$]+$/.exec(type)![0];
}
