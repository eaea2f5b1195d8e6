/** The results of an operation beside those that its vector has. */
import type { Difference } from './blocks.ts';
import type { Fields } from './suite.ts';

/** members of an operation that are neither arguments nor results */
const OWN = new Set(['o', 's']);

/**
 * The first result that differs. A list that is empty and one that is absent mean the same, except for results of its own name.
 * @param args members that are arguments; all others are results
 */
export function compareResults(op: Fields, args: readonly string[], results: Fields): Difference | undefined {
  const expected = Object.keys(op).filter((name) => !OWN.has(name) && !args.includes(name));
  for (const name of new Set([...Object.keys(results), ...expected])) {
    const want = JSON.stringify(op[name] ?? absent(results[name]));
    const got = JSON.stringify(results[name] ?? null);
    if (want !== got) return { key: name, expected: op[name] ?? null, got: results[name] ?? null };
  }
  return undefined;
}

/** What an absent member stands for beside the value it should equal. */
function absent(got: unknown): unknown {
  return Array.isArray(got) ? [] : null;
}
