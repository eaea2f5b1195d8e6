/** Scenarios from YAML text: every mistake is one line naming file, place and what would be right. */
import { type Document, isNode, LineCounter, parseDocument } from 'yaml';
import { UserError } from '../core/errors.ts';
import { type Scenario, scenarioSchema } from './schema.ts';

/** @throws UserError naming the file, the line and what was expected */
export function parseScenario(text: string, file: string): Scenario {
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const broken = doc.errors[0];
  if (broken) {
    throw new UserError(`${file}:${lines.linePos(broken.pos[0]).line}: not YAML: ${oneLine(broken.message)}`);
  }
  const parsed = scenarioSchema.safeParse(doc.toJS({ maxAliasCount: 100 }) ?? {});
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const path = issue.path as (string | number)[];
  const where = path.length > 0 ? `${path.join('.')}: ` : '';
  throw new UserError(`${file}:${lineOf(doc, lines, path)}: ${where}${oneLine(issue.message)}`);
}

/** The line of the deepest node on the path that is in the document. */
function lineOf(doc: Document, lines: LineCounter, path: readonly (string | number)[]): number {
  for (let n = path.length; n > 0; n--) {
    const node = doc.getIn(path.slice(0, n), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return 1;
}

function oneLine(message: string): string {
  return message.replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
}
