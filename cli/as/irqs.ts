/**
 * lsirq of util-linux 2.38 and `irqtop -b` of 2.42 (sys-utils/irq-common.c, lsirq.c, irqtop.c), whose output goes to no
 * terminal, in the C locale.
 */
import { fixed1, isoTime } from './format.ts';
import { type Column, smartColumns } from './smart-columns.ts';

interface Irq {
  readonly irq: string;
  readonly total: number;
  readonly name: string;
}

interface Irqs {
  readonly rows: readonly Irq[];
  /** by CPU */
  readonly cpus: readonly number[];
  readonly total: number;
}

/** 10 digits and a blank, or a blank and 10 digits */
const WIDTH = 11;

/** get_irqinfo: counts stand in columns of 11; ERR and MIS have one alone. */
function irqsOf(file: string): Irqs {
  const [head, ...lines] = file.split(/(?<=\n)/);
  const cpus = Array.from(head!.matchAll(/CPU/g), () => 0);
  const rows: Irq[] = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    let at = colon + 1;
    let total = 0;
    for (let cpu = 0; cpu < cpus.length && at < line.length; cpu++) {
      const digits = /^\s*(\d{1,10})/.exec(line.slice(at));
      if (!digits) continue;
      const count = Number(digits[1]);
      total += count;
      cpus[cpu]! += count;
      at += WIDTH;
    }
    const name = line.slice(at).trim().replace(/\s+/g, ' ');
    rows.push({ irq: line.slice(0, colon).trimStart(), total, name });
  }
  return { rows, cpus, total: cpus.reduce((sum, n) => sum + n, 0) };
}

const IRQ: Column = { title: 'IRQ', right: true };
const TOTAL: Column = { title: 'TOTAL', right: true };
const DELTA: Column = { title: 'DELTA', right: true };
const NAME: Column = { title: 'NAME' };

/** The most frequent first; of equal ones the first of the file first. */
export function lsirq(file: string): string {
  const rows = [...irqsOf(file).rows].sort((a, b) => b.total - a.total);
  return smartColumns(
    [IRQ, TOTAL, NAME],
    rows.map(({ irq, total, name }) => [irq, String(total), name]),
  );
}

/** Of equal ones the first by name first. */
export class Irqtop {
  private before: Irqs | undefined;

  constructor(private readonly host: string) {}

  look(file: string, time: number): string {
    const now = irqsOf(file);
    const { before } = this;
    this.before = now;
    // rows are told apart by their places
    const rows = now.rows.map((row, i) => ({
      ...row,
      delta: before ? row.total - (before.rows[i]?.total ?? 0) : 0,
    }));
    const delta = rows.reduce((sum, row) => sum + row.delta, 0);
    rows.sort((a, b) => b.total - a.total || byName(a, b));
    const table = smartColumns(
      [IRQ, TOTAL, DELTA, NAME],
      rows.map((r) => [r.irq, String(r.total), String(r.delta), r.name]),
      true,
    );
    const head = `irqtop | total: ${now.total} delta: ${delta} | ${this.host} | ${isoTime(time)}+00:00`;
    return `${head}\n\n${cpuTable(now, before, delta)}\n${table}\n`;
  }
}

function byName(a: Irq, b: Irq): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** Shares of the CPUs, since boot and since the last look. */
function cpuTable({ cpus, total }: Irqs, before: Irqs | undefined, delta: number): string {
  const since = cpus.map((n, cpu) => n - (before?.cpus[cpu] ?? 0));
  return smartColumns(
    [{ title: '', right: true }, ...cpus.map((_, cpu) => ({ title: `cpu${cpu}`, right: true }))],
    [
      ['%irq:', ...cpus.map((n) => share(n, total))],
      ['%delta:', ...since.map((n) => (before && delta !== 0 ? share(n, delta) : ''))],
    ],
  );
}

function share(part: number, whole: number): string {
  return whole === 0 ? '-nan' : fixed1((part * 100) / whole);
}
