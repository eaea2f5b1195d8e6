/**
 * Text that is written over itself while others read it: every number keeps its place, so that a reader who sees half of
 * the old text and half of the new one still sees whole lines and whole numbers. /proc/interrupts and /proc/softirqs
 * are like that by themselves; in the others numbers are given the width that they may grow to.
 */

/** digits that a counter is given room for */
const ROOM = 10;

export class SteadyText {
  private readonly widths: number[][] = [];

  /** @param text lines of words, of which the first is a name */
  lay(text: string): string {
    return text
      .split('\n')
      .map((line, n) => this.layLine(line, n))
      .join('\n');
  }

  /** A number that is 0 at first is most likely one that never counts. */
  private layLine(line: string, n: number): string {
    this.widths[n] ??= [];
    const widths = this.widths[n];
    return line
      .split(' ')
      .map((word, i) => {
        if (!/^\d/.test(word)) return word;
        const least = word === '0' ? 1 : Math.max(ROOM, word.length);
        widths[i] = Math.max(widths[i] ?? 0, least);
        return word.padStart(widths[i]!);
      })
      .join(' ');
  }
}
