/** Scenarios from YAML text: every mistake is one line naming file, place and what would be right. */
import { FormatError } from '../core/errors.ts';
import { type Complaint, complain, type Issue, placeOf } from './complaint.ts';
import { readDocument } from './document.ts';
import type { Scenario } from './kinds.ts';
import { judge } from './mistakes.ts';
import { schemaFor } from './schema.ts';

/** @throws UserError naming the file, the line and what was expected */
export function parseScenario(text: string, file: string): Scenario {
  const { mistakes, content } = readDocument(text, file);
  if (!content || mistakes.length > 0) throw mistakes[0]!;
  const { data, lineOf } = content;
  const schema = schemaFor(data);
  const parsed = schema.safeParse(data, { reportInput: true });
  if (parsed.success) return parsed.data;
  const complaint = complain(schema, first(parsed.error.issues), data)[0]!;
  throw new FormatError(file, lineOf(complaint.path, complaint.ofKey), sentence(complaint));
}

/** A scenario that is right, or all that is wrong with it by line. */
export interface CheckedScenario {
  readonly scenario?: Scenario;
  readonly mistakes: readonly FormatError[];
}

/** All that is wrong with the text of a scenario, not only the first of it. */
export function checkScenario(text: string, file: string): CheckedScenario {
  const { mistakes, content } = readDocument(text, file);
  if (!content) return { mistakes };
  const { scenario, complaints } = judge(content.data);
  const all = [
    ...mistakes,
    ...complaints.map((c) => new FormatError(file, content.lineOf(c.path, c.ofKey), sentence(c))),
  ].sort((a, b) => a.line - b.line);
  return scenario && all.length === 0 ? { scenario, mistakes: [] } : { mistakes: all };
}

/** Unknown keys first: a key that is missing is often one that was misspelt. */
export function first(issues: readonly Issue[]): Issue {
  return issues.find((i) => i.code === 'unrecognized_keys') ?? issues[0]!;
}

/** The complaint with its place. */
export function sentence({ path, text }: Complaint): string {
  return path.length > 0 ? `${placeOf(path)}: ${text}` : text;
}
