/**
 * All that is wrong with a scenario. A misspelt key is told once and then read as the one that was meant, so that what
 * stands behind it is looked at as well; what the parts must have in common is looked at when each by itself is right.
 */
import { type Complaint, complain, knownKeys } from './complaint.ts';
import type { Path } from './document.ts';
import type { Scenario } from './kinds.ts';
import { schemaFor } from './schema.ts';
import { near } from './words.ts';

export interface Judgement {
  readonly scenario?: Scenario;
  readonly complaints: readonly Complaint[];
}

/** @param data a document as YAML or JSON has it */
export function judge(data: unknown): Judgement {
  const mended = new Mended(data);
  const complaints: Complaint[] = [];
  for (;;) {
    const schema = schemaFor(mended.data);
    const parsed = schema.safeParse(mended.data, { reportInput: true });
    if (parsed.success) {
      return complaints.length > 0 ? { complaints } : { scenario: parsed.data, complaints };
    }
    const { issues } = parsed.error;
    const unknown = issues.filter((i) => i.code === 'unrecognized_keys');
    const shapes = issues.filter((i) => i.code !== 'custom');
    const now = unknown.length > 0 ? unknown : shapes.length > 0 ? shapes : issues;
    for (const issue of now) {
      const found = complain(schema, issue, mended.data);
      complaints.push(...found.map((c) => ({ ...c, path: mended.asWritten(c.path) })));
    }
    if (unknown.length === 0) return { complaints };
    for (const issue of unknown) {
      const path = issue.path as Path;
      const known = knownKeys(schema, path, mended.data);
      for (const key of issue.keys) mended.put(path, key, near(key, known));
    }
  }
}

/** A document whose unknown keys are put right one after the other. */
class Mended {
  readonly data: unknown;
  /** by the path as mended: the key as it is written */
  private readonly written = new Map<string, string>();

  constructor(data: unknown) {
    this.data = copy(data);
  }

  /** Gives the key at this place the name that was meant, unless that is there already; without one it goes. */
  put(path: Path, key: string, meant: string | undefined): void {
    let at = this.data as Record<string | number, unknown>;
    for (const step of path) at = at[step] as typeof at;
    if (meant !== undefined && !Object.hasOwn(at, meant)) {
      at[meant] = at[key];
      this.written.set(JSON.stringify([...path, meant]), key);
    }
    delete at[key];
  }

  asWritten(path: Path): Path {
    return path.map((step, n) => this.written.get(JSON.stringify(path.slice(0, n + 1))) ?? step);
  }
}

/** Parts that YAML shares by aliases become parts of their own: they may be right in one place and wrong in another. */
function copy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copy);
  if (typeof value !== 'object' || value === null) return value;
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, copy(inner)]));
}
