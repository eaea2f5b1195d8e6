/** Words for messages: lists that stay short, and the word somebody may have meant. */
import { printable } from '../core/errors.ts';

const SHOWN = 16;

/** `one of a, b, c`; foreign words are made printable. */
export function oneOf(words: readonly string[]): string {
  const shown = words.slice(0, SHOWN).map((w) => printable(w, 40));
  if (words.length === 1) return shown[0]!;
  return `one of ${shown.join(', ')}${words.length > SHOWN ? ', ...' : ''}`;
}

/** The word that is a slip of the keyboard away, if any. */
export function near(word: unknown, known: readonly string[]): string | undefined {
  if (typeof word !== 'string' || word.length > 40) return undefined;
  let best: string | undefined;
  let least = word.length < 4 ? 2 : 3;
  for (const k of known) {
    const d = distance(word.toLowerCase(), k.toLowerCase());
    if (d < least) [best, least] = [k, d];
  }
  return best;
}

/** Levenshtein's: letters to insert, delete or change. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length]!;
}
