/** In what two scenarios differ: the places of their documents where the values are not the same. */
import type { Scenario } from '../../engine/index.ts';

export interface Difference {
  /** as a setting names it: `guests[0].fifo` */
  readonly place: string;
  /** undefined: nothing is there */
  readonly a: unknown;
  readonly b: unknown;
}

/** Defaults filled in; their names and titles aside. */
export function settingsOf(a: Scenario, b: Scenario): Difference[] {
  const found: Difference[] = [];
  compare({ ...a, name: '', title: '' }, { ...b, name: '', title: '' }, '', found);
  return found;
}

function compare(a: unknown, b: unknown, place: string, found: Difference[]): void {
  if (Object.is(a, b)) return;
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let i = 0; i < Math.max(a.length, b.length); i++) compare(a[i], b[i], `${place}[${i}]`, found);
  } else if (isMapping(a) && isMapping(b)) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
      compare(a[key], b[key], place === '' ? key : `${place}.${key}`, found);
    }
  } else {
    found.push({ place, a, b });
  }
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value as one would write it: `{what: disk, vm: 1}` */
export function valueText(value: unknown): string {
  if (value === undefined) return 'not given';
  if (Array.isArray(value)) return `[${value.map(valueText).join(', ')}]`;
  if (!isMapping(value)) return String(value);
  return `{${Object.entries(value)
    .map(([key, v]) => `${key}: ${valueText(v)}`)
    .join(', ')}}`;
}
