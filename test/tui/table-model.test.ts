import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { columnsFor } from '../../tui/columns.ts';
import { History } from '../../tui/history.ts';
import { rowsOf, SORTS, sortRows, type TableRow, textOf } from '../../tui/interrupt-rows.ts';
import { makeFilter } from '../../tui/table-model.ts';
import { fakeMachine } from '../support/fake-machine.ts';

function rows(cpus = 4): TableRow[] {
  const machine = fakeMachine({ cpus });
  machine.runUntil(2e9);
  return rowsOf(machine.platform.domains()[0]!, false);
}

const labels = (list: readonly TableRow[]) => list.map((r) => r.label);

describe('rows', () => {
  test('are those of /proc/interrupts in its order, the architecture below', () => {
    const all = rows();
    expect(all.filter((r) => r.irq !== null)).toHaveLength(63);
    expect(labels(all).slice(63)).toEqual(['NMI', 'LOC', 'SPU', 'RES', 'CAL', 'TLB', 'MCE', 'MCP', 'ERR']);
    expect(all[7]).toMatchObject({
      label: '24',
      chip: 'xen-percpu',
      flow: '-virq',
      name: 'timer0',
      total: 500,
    });
  });

  test('carry hardware number and trigger where the kernel prints them, and clean names', () => {
    const domain = fakeMachine().platform.domains()[0]!;
    const row = {
      irq: 7,
      counts: [1],
      chip: 'GICv3',
      hwirq: 27,
      trigger: 'Level' as const,
      name: null,
      actions: ['arch\x1btimer', 'kvm'],
    };
    const [first] = rowsOf({ ...domain, interrupts: { ...domain.interrupts, rows: [row] } }, false);
    expect(first).toMatchObject({ chip: 'GICv3 27 Level', flow: '', name: 'arch?timer, kvm' });
  });
});

describe('sorting', () => {
  const history = new History();

  test('by number, total, one CPU, chip, name; ties by number', () => {
    const all = rows();
    const by = (column: Parameters<typeof sortRows>[1]['column'], reverse = false) =>
      labels(sortRows(all, { column, reverse }, history)).slice(0, 3);
    expect(by('irq')).toEqual(['1', '4', '8']);
    expect(by('irq', true)).toEqual(['83', '82', '81']);
    expect(by('total')[0]).toBe('24');
    expect(by('cpu1')[0]).toBe('30');
    expect(by('chip')[0]).toBe('48');
    expect(by('name')[0]).toBe('9');
  });

  test('keeps every row, and the architecture below', () => {
    const all = rows();
    for (const column of SORTS) {
      for (const reverse of [false, true]) {
        const sorted = sortRows(all, { column, reverse }, history);
        expect([...labels(sorted)].sort()).toEqual([...labels(all)].sort());
        expect(labels(sorted).slice(63)).toEqual(labels(all).slice(63));
      }
    }
  });
});

describe('filter', () => {
  const all = rows();
  const found = (text: string) => labels(all.filter(makeFilter(text, textOf).matches));

  test('looks at number, chip, handler and name, whatever the case', () => {
    expect(found('^53 ')).toEqual(['53']);
    expect(found('TIMER[01]$')).toEqual(['24', '30']);
    expect(found('lateeoi -event vif1')).toHaveLength(4);
    expect(found('resched')).toEqual(['26', '32', '38', '44', 'RES']);
    expect(found('')).toHaveLength(all.length);
  });

  test('never throws, whatever is typed', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const filter = makeFilter(text, textOf);
        all.filter(filter.matches);
        return true;
      }),
    );
    expect(makeFilter('ahci[', textOf).error).toBe('not a regular expression, taken as text');
    expect(found('ahci[0000:00:1f.2]'.slice(0, 5))).toHaveLength(2);
  });
});

describe('columns', () => {
  test('never need more than the terminal has', () => {
    for (const cpus of [1, 2, 4, 8, 9, 64, 256]) {
      const all = rows(cpus);
      const list = Array.from({ length: cpus }, (_, i) => i);
      for (let width = 60; width <= 300; width++) {
        for (const totals of [false, true]) {
          const c = columnsFor(all, list, width, totals);
          const used =
            1 +
            c.label +
            (c.cpu > 0 ? cpus * (1 + c.cpu) : 0) +
            (c.total > 0 ? 1 + c.total : 0) +
            (c.heat > 0 ? 2 + c.heat : 0) +
            (1 + c.rate) +
            (c.spark > 0 ? 2 + c.spark : 0) +
            5 +
            (2 + c.chip) +
            (2 + c.name);
          expect(used, `${cpus} CPUs, ${width} cells`).toBeLessThanOrEqual(width);
          expect(c.cpu > 0 || c.total > 0).toBe(true);
          expect(c.cpu > 0 && (cpus > 8 || totals)).toBe(false);
          expect(c.heat * c.perCell >= cpus || c.heat === 0).toBe(true);
        }
      }
    }
  });
});
