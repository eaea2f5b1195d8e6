/** Lines of an untrusted file, and numbers in them. */
import { FormatError, findControl, printable } from '../core/errors.ts';

/** The lines of a whole file. @throws FormatError if it is empty, cut off or not plain text */
export function linesOf(text: string, file: string, first: string): string[] {
  if (text === '') throw new FormatError(file, 1, `the file is empty; ${first} would be right`);
  const lines = text.split('\n');
  for (let n = 0; n < lines.length; n++) {
    const at = findControl(lines[n]!);
    if (at < 0) continue;
    const what = printable(lines[n]![at]!);
    const hint = what === '\\x0d' ? 'lines end in \\n alone' : 'plain text would be right';
    throw new FormatError(file, n + 1, `character ${what} in column ${at + 1}; ${hint}`);
  }
  if (lines.pop() !== '') {
    throw new FormatError(file, lines.length + 1, 'the last line is cut off; a line end would be right');
  }
  return lines;
}

/** The columns of `CPU0 CPU2 ...`. @throws FormatError if they are none, or do not ascend */
export function cpusOf(header: string, file: string): number[] {
  const cpus: number[] = [];
  for (const word of header.split(' ')) {
    if (word === '') continue;
    const found = /^CPU(\d{1,8})$/.exec(word);
    if (!found) {
      throw new FormatError(file, 1, `"${printable(word, 20)}" in the header; CPU0 CPU1 ... would be right`);
    }
    const cpu = Number(found[1]);
    if (cpus.length > 0 && cpu <= cpus.at(-1)!) {
      throw new FormatError(file, 1, `CPU${cpu} after CPU${cpus.at(-1)}; CPUs ascend`);
    }
    cpus.push(cpu);
  }
  if (cpus.length === 0) throw new FormatError(file, 1, 'no CPU in the header; CPU0 CPU1 ... would be right');
  return cpus;
}

/** The same line, or the same with its trailing blanks lost? */
export function sameLine(line: string, printed: string): boolean {
  return line === printed || line === printed.trimEnd();
}

/** Says in which column a line first differs from the one that would be right. */
export function difference(line: string, right: string, who: string): string {
  let at = 0;
  while (at < line.length && line[at] === right[at]) at++;
  const got = at < line.length ? `"${printable(line.slice(at, at + 12), 12)}"` : 'the end of the line';
  const want = at < right.length ? `"${printable(right.slice(at, at + 12), 12)}"` : 'the end of the line';
  return `${got} in column ${at + 1}; ${who} would print ${want} there`;
}
