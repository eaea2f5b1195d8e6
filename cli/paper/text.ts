/** paper as text of at most 80 columns, and as JSON, a line for each row. */
import { grouped } from '../../tui/format.ts';
import { CAVEAT, SOURCE, TITLES } from './published.ts';
import type { PaperRow, PaperTable } from './table.ts';

const NAME = 26;
const COLUMN = 10;

export function paperText(tables: readonly PaperTable[]): string {
  const why = tables.flatMap(({ system, rows }) =>
    rows.flatMap((row) => (row.costs ? [whyText(system.name, row)] : [])),
  );
  return [headText(), ...(why.length > 0 ? why : tables.map(tableText))].map((t) => `${t}\n`).join('\n');
}

function headText(): string {
  return ['virqtop paper - microbenchmarks, in cycles', SOURCE.replace(', "', ',\n"'), CAVEAT].join('\n');
}

function tableText({ system, rows }: PaperTable): string {
  const { name, ghz, scenario } = system;
  const head = line(`${name}, ${ghz} GHz`, ['OURS', 'PUBLISHED', 'ERROR', 'NS']);
  const body = rows.map(({ run, cycles, published, error, ns }) =>
    line(TITLES[run], [grouped(cycles), grouped(published), percent(error), grouped(ns)]),
  );
  return [head, ...body, `scenario ${scenario}`].join('\n');
}

/** What a row is made of. */
function whyText(system: string, { run, ns, cycles, published, error, from, to, costs }: PaperRow): string {
  const entries = costs!.map((cost) =>
    line(`  ${cost.name}`, [`${cost.count} x`, grouped(cost.ns), grouped(cost.count * cost.ns)]),
  );
  return [
    `${TITLES[run]}, ${system}: from ${from.point.name} to ${to.point.name}`,
    ...entries,
    line('  ns', ['', '', grouped(ns)]),
    line('  cycles, published', [grouped(cycles), grouped(published), percent(error)]),
  ].join('\n');
}

export function paperJson(tables: readonly PaperTable[]): string {
  const rows = tables.flatMap(({ system, rows }) =>
    rows.map(({ run, ns, cycles, published, error, from, to, turns, costs }) => ({
      system: system.name,
      scenario: system.scenario,
      row: run,
      title: TITLES[run],
      ghz: system.ghz,
      ns,
      cycles,
      published,
      publishedFrom: 'memory',
      error: Math.round(error * 100) / 100,
      from: from.point.name,
      to: to.point.name,
      turns,
      ...(costs && { costs }),
    })),
  );
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}

function line(name: string, columns: readonly string[]): string {
  return name.padEnd(NAME) + columns.map((c) => c.padStart(COLUMN)).join('');
}

/** With its sign, unless it rounds to nothing. */
function percent(error: number): string {
  const text = error.toFixed(1).replace(/^-(0\.0)$/, '$1');
  return `${error > 0 && text !== '0.0' ? '+' : ''}${text} %`;
}
