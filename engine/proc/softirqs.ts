/** /proc/softirqs, which is the same in every kernel since 2.6.37: fs/proc/softirqs.c. */
import { asU32 } from '../core/counters.ts';
import { FormatError, printable } from '../core/errors.ts';
import { cpusOf, difference, linesOf, sameLine } from './text.ts';
import type { Softirqs } from './types.ts';

export function printSoftirqs(s: Softirqs): string {
  const lines = [printHeader(s.cpus), ...s.rows.map(printRow)];
  return `${lines.join('\n')}\n`;
}

function printHeader(cpus: readonly number[]): string {
  return ' '.repeat(20) + cpus.map((c) => `CPU${String(c).padEnd(8)}`).join('');
}

function printRow(row: Softirqs['rows'][number]): string {
  return `${row.name.padStart(12)}:${row.counts.map((c) => ` ${String(asU32(c)).padStart(10)}`).join('')}`;
}

/** @throws FormatError naming the line */
export function parseSoftirqs(text: string, file: string): Softirqs {
  const lines = linesOf(text, file, 'a header with CPU0 CPU1 ...');
  const cpus = cpusOf(lines[0]!, file);
  const header = printHeader(cpus);
  if (!sameLine(lines[0]!, header)) throw new FormatError(file, 1, difference(lines[0]!, header, 'Linux'));
  const rows: { name: string; counts: number[] }[] = [];
  for (const [n, line] of lines.entries()) {
    if (n === 0) continue;
    const found = /^ *([^\s:]+):((?: +\d{1,10})+)$/.exec(line);
    if (!found) {
      const got = printable(line, 30);
      throw new FormatError(file, n + 1, `"${got}"; NAME: and a number for each CPU would be right`);
    }
    const name = found[1]!;
    const counts = found[2]!.trim().split(/ +/).map(Number);
    if (counts.length !== cpus.length) {
      const right = `${cpus.length} as in the header would be right`;
      throw new FormatError(file, n + 1, `${printable(name, 20)} has ${counts.length} counts; ${right}`);
    }
    if (rows.some((r) => r.name === name)) {
      throw new FormatError(file, n + 1, `a second row ${printable(name, 20)}`);
    }
    const row = { name, counts };
    if (line !== printRow(row)) throw new FormatError(file, n + 1, difference(line, printRow(row), 'Linux'));
    rows.push(row);
  }
  return { cpus, rows };
}
