/** A scenario with all its defaults as YAML, in the style in which the built-in ones are written. */
import { Document, isCollection, isMap, isPair, isScalar, visit } from 'yaml';
import type { Scenario } from './kinds.ts';

const WIDEST = 110;

/** Parsing the text gives the scenario again. */
export function printScenario(scenario: Scenario): string {
  // parts that are there twice are written twice, not once with an alias
  const doc = new Document(scenario, { aliasDuplicateObjects: false });
  visit(doc, {
    Collection: (_, node, ancestors) => {
      const depth = ancestors.filter(isCollection).length;
      if (depth > 0 && isPlain(node) && 2 * depth + widthOf(node) <= WIDEST) {
        node.flow = true;
        return visit.SKIP;
      }
      return undefined;
    },
  });
  return doc.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/** Fit for one line: values, and what has nothing but values in it. Lists of parts have a line for each. */
function isPlain(node: unknown): boolean {
  if (!isCollection(node)) return true;
  if (isMap(node)) return node.items.every(({ value }) => isPlain(value));
  return node.items.every((item) => isScalar(item)) || node.items.length === 0;
}

function widthOf(node: unknown): number {
  if (isPair(node)) return widthOf(node.key) + 2 + widthOf(node.value);
  if (isCollection(node))
    return (node.items as unknown[]).reduce<number>((n, item) => n + widthOf(item) + 2, 2);
  if (!isScalar(node)) return 0;
  const text = String(node.value);
  return text.length + (/^[\w -]+$/.test(text) ? 0 : 2); // quotes, perhaps
}
