/** compare -J: one line of JSON with every number of both sides, equal ones too. */
import type { Comparison, Side } from './comparison.ts';
import { TABLES } from './measure.ts';

export function compareJson({ a, b, settings, subjects, ways, balanced }: Comparison): string {
  const side = ({ wanted, settings: set, now: { scenario, title, system } }: Side, isBalanced: boolean) => ({
    wanted,
    settings: set,
    scenario,
    title,
    system,
    balanced: isBalanced,
  });
  const document = {
    seed: a.now.seed,
    from: a.before.time,
    to: a.now.time,
    a: side(a, balanced[0]),
    b: side(b, balanced[1]),
    differences: settings.map(({ place, a = null, b = null }) => ({ place, a, b })),
    subjects: subjects.map(({ name, a, b, tables }) => ({
      name,
      a,
      b,
      tables: tables.map(({ table, rows }) => ({
        table,
        unit: TABLES[table].unit,
        rows,
      })),
    })),
    fired: ways.map(({ a, b }) => ({ ...a.fire, a: a.journey, b: b.journey })),
  };
  return `${JSON.stringify(document)}\n`;
}
