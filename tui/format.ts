/** Numbers, times and text as the screen shows them. Nothing here knows of colours. */

/** What stands for a control byte, an invisible mark or half a character. */
const UNPRINTABLE =
  /[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\p{Cs}/gu;
const PLAIN = /^[ -~]*$/;

/** Text from outside, made harmless: whatever could move the cursor or hide a character becomes `?`. */
export function sanitize(text: string, ascii = false): string {
  if (PLAIN.test(text)) return text;
  const clean = text.replace(UNPRINTABLE, '?');
  return ascii ? clean.replace(/[^ -~]/gu, '?') : clean;
}

/** Code points that take two cells: East Asian wide and full-width ones, and emoji. */
function isWide(code: number): boolean {
  if (code < 0x1100) return false;
  return (
    code <= 0x115f ||
    (code >= 0x2e80 && code <= 0x303e) ||
    (code >= 0x3041 && code <= 0xa4cf) ||
    (code >= 0xa960 && code <= 0xa97c) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0xffe0 && code <= 0xffe6) ||
    (code >= 0x1f300 && code <= 0x1faff) ||
    (code >= 0x20000 && code <= 0x3fffd)
  );
}

const COMBINING = /\p{Mn}|\p{Me}/u;

function cellsOf(char: string): number {
  const code = char.codePointAt(0)!;
  if (code < 0x300) return 1;
  if (COMBINING.test(char)) return 0;
  return isWide(code) ? 2 : 1;
}

/** Terminal cells of a text without escape sequences. */
export function displayWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let cells = 0;
  for (const char of text) cells += cellsOf(char);
  return cells;
}

/** Cuts the text to so many cells; what is cut off leaves `mark` behind. */
export function truncate(text: string, width: number, mark = '…'): string {
  if (width <= 0) return '';
  if (text.length <= width && PLAIN.test(text)) return text;
  if (displayWidth(text) <= width) return text;
  const room = width - displayWidth(mark);
  if (room < 0) return ''.padEnd(width);
  let out = '';
  let cells = 0;
  for (const char of text) {
    const next = cells + cellsOf(char);
    if (next > room) break;
    out += char;
    cells = next;
  }
  return out + mark;
}

/** Lines of so many cells; those that the text breaks itself stay. @param hang what further lines begin with */
export function wrap(text: string, width: number, hang = ''): string[] {
  return text
    .trimEnd()
    .split('\n')
    .flatMap((paragraph) => {
      const [first = '', ...words] = paragraph.trim().split(/\s+/);
      const lines = [first];
      for (const word of words) {
        const longer = `${lines.at(-1)} ${word}`;
        if (displayWidth(longer) > width) lines.push(hang + word);
        else lines[lines.length - 1] = longer;
      }
      return lines;
    });
}

/** Exactly so many cells: cut or filled up with blanks on the right. */
export function pad(text: string, width: number, mark = '…'): string {
  if (width <= 0) return '';
  const cut = truncate(text, width, mark);
  return cut + ' '.repeat(Math.max(0, width - displayWidth(cut)));
}

/** Exactly so many cells: cut or filled up with blanks on the left. */
export function padLeft(text: string, width: number, mark = '…'): string {
  if (width <= 0) return '';
  const cut = truncate(text, width, mark);
  return ' '.repeat(Math.max(0, width - displayWidth(cut))) + cut;
}

/** An integer with thousands separators. */
export function grouped(n: number): string {
  const digits = String(Math.round(n));
  if (digits.length <= 3) return digits;
  let out = '';
  for (let i = 0; i < digits.length; i++) {
    const left = digits.length - i;
    if (i > 0 && left % 3 === 0 && digits[i - 1] !== '-') out += ',';
    out += digits[i];
  }
  return out;
}

const UNITS = ['', 'k', 'M', 'G', 'T', 'P'];

/** Three significant digits and a unit: `12.3M`. */
export function compact(n: number): string {
  let unit = 0;
  let value = n;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  if (unit === 0) return String(Math.round(value));
  const decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return value.toFixed(decimals) + UNITS[unit];
}

/** A count in the best way that fits: with separators, bare, or shortened. */
export function count(n: number, width: number): string {
  if (n < 1000) return String(n);
  const best = grouped(n);
  if (best.length <= width) return best;
  const bare = String(n);
  return bare.length <= width ? bare : compact(n);
}

/** Interrupts per second; `-` while nothing is known. */
export function rate(perSecond: number, width = 7): string {
  if (!Number.isFinite(perSecond)) return '-';
  if (perSecond === 0) return '0';
  if (perSecond < 0.05) return '<0.1';
  if (perSecond < 9.95) return perSecond.toFixed(1);
  return count(Math.round(perSecond), width);
}

/** `0%` to `100%`. */
export function percent(fraction: number): string {
  return Number.isFinite(fraction) ? `${Math.round(fraction * 100)}%` : '-';
}

/** A moment of simulated time in seconds, grouped by thousands after the point: `12.345 678 s`. */
export function clockTime(ns: number, decimals: 3 | 6 | 9): string {
  const unit = 10 ** (9 - decimals);
  const ticks = Math.floor(ns / unit);
  const perSecond = 10 ** decimals;
  const whole = Math.floor(ticks / perSecond);
  const fraction = String(ticks % perSecond).padStart(decimals, '0');
  return `${grouped(whole)}.${fraction.replace(/(...)(?=.)/g, '$1 ')} s`;
}

/** A length of time in the unit that suits it: `850 ns`, `4.1 us`, `12 ms`, `1.5 s`. */
export function duration(ns: number): string {
  if (ns < 999.5) return `${Math.round(ns)} ns`;
  if (ns < 999_950) return `${short(ns / 1e3)} us`;
  if (ns < 999_950_000) return `${short(ns / 1e6)} ms`;
  if (ns < 120e9) return `${short(ns / 1e9)} s`;
  return ns < 7200e9 ? `${short(ns / 60e9)} min` : `${short(ns / 3600e9)} h`;
}

function short(n: number): string {
  return n < 99.95 ? n.toFixed(1).replace(/\.0$/, '') : String(Math.round(n));
}

/** Microseconds since the raise, as the hops of a journey show them: `0.2`, `12.4`, `3,210`. */
export function microseconds(ns: number): string {
  const value = ns / 1000;
  return value < 999.95 ? value.toFixed(1) : grouped(Math.round(value));
}

/** Simulated seconds per second: `1x`, `0.1x`, `1e-6x`, `max`. */
export function speed(factor: number): string {
  if (factor === Number.POSITIVE_INFINITY) return 'max';
  if (factor >= 1) return `${factor < 9.95 ? String(Math.round(factor * 10) / 10) : grouped(factor)}x`;
  if (factor >= 0.001) return `${Number(factor.toPrecision(2))}x`;
  return `${factor.toExponential(1).replace('.0e', 'e')}x`;
}
