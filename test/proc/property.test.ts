/** Random tables in every dialect, and files that are no tables. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatError, findControl } from '../../engine/core/errors.ts';
import { archLayout, archRows, kindOf } from '../../engine/proc/arch-rows.ts';
import { LAYOUTS, type Layout } from '../../engine/proc/dialects.ts';
import { parseInterrupts } from '../../engine/proc/parse-interrupts.ts';
import { printInterrupts } from '../../engine/proc/print-interrupts.ts';
import { parseSoftirqs } from '../../engine/proc/softirqs.ts';
import { parseStat } from '../../engine/proc/stat.ts';
import type { Interrupts, IrqRow } from '../../engine/proc/types.ts';
import { capture } from '../support/captures.ts';

const u32 = fc.oneof(fc.nat(30), fc.integer({ min: 0, max: 4294967295 }));
const CHIPS = ['IO-APIC', 'PCI-MSI', 'XT-PIC', 'xen-percpu', 'xen-dyn', 'xen-dyn-lateeoi', 'xen-pirq'];
const LATER_CHIPS = [...CHIPS, 'GIC-0', 'GICv3', 'ITS-MSI', 'PCI-MSIX-0000:00:01.0'];
const NAMES = ['edge', 'level', 'fasteoi', 'virq', 'ipi', 'event', 'ioapic-edge', 'msi-x', 'percpu'];
const actions = fc.array(
  fc.stringMatching(/^[a-z][a-z0-9_:.[\]@-]{0,12}( [a-z]{1,6})?$/).filter((s) => !s.includes(', ')),
  { maxLength: 3 },
);

function rowOf(layout: Layout, cpus: number): fc.Arbitrary<Omit<IrqRow, 'irq'>> {
  const counts = fc.array(u32, { minLength: cpus, maxLength: cpus });
  if (!layout.details) {
    return fc.record({
      counts,
      chip: fc.constantFrom('Phys-irq', 'Dynamic-irq'),
      hwirq: fc.constant(null),
      trigger: fc.constant(null),
      name: fc.constant(null),
      actions,
    });
  }
  const glued = layout.noHwirq === null;
  return fc.record({
    counts,
    chip: fc.constantFrom(...(glued ? CHIPS : LATER_CHIPS)),
    hwirq: fc.option(fc.oneof(fc.nat(200), fc.nat(2 ** 40))),
    trigger: glued ? fc.constant(null) : fc.option(fc.constantFrom('Level' as const, 'Edge' as const)),
    name: fc.option(fc.constantFrom(...NAMES)),
    actions,
  });
}

function tableOf(layout: Layout): fc.Arbitrary<Interrupts> {
  return fc
    .record({
      gaps: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 6 }),
      precision: fc.integer({ min: layout.minPrecision, max: Math.min(5, layout.maxPrecision) }),
    })
    .chain(({ gaps, precision }) => {
      const cpus = gaps.map((_, n) => gaps.slice(0, n + 1).reduce((a, b) => a + b, 0) - 1);
      const kind = kindOf(layout.dialect);
      const labels = archLayout(kind);
      return fc
        .record({
          rows: fc.array(fc.tuple(fc.integer({ min: 1, max: 60 }), rowOf(layout, cpus.length)), {
            maxLength: 8,
          }),
          arch: fc.array(u32, { minLength: labels.length, maxLength: labels.length }),
        })
        .map(({ rows, arch }): Interrupts => {
          let irq = 0;
          return {
            dialect: layout.dialect,
            cpus,
            rows: rows.map(([step, row]) => {
              irq += step;
              return { irq, ...row };
            }),
            arch: archRows(kind, cpus.length, (label, n) => {
              const at = labels.findIndex((l) => l.label === label);
              return (arch[at]! + n) % 4294967296;
            }),
            precision,
          };
        });
    });
}

describe.each(LAYOUTS.map((l) => [l.dialect, l] as const))('dialect %s', (dialect, layout) => {
  test('a random table printed and parsed has the same fields, and prints the same', () => {
    fc.assert(
      fc.property(tableOf(layout), (table) => {
        const text = printInterrupts(table);
        const found = parseInterrupts(text, 'f');
        expect(printInterrupts(found)).toBe(text);
        // rows that two dialects print alike do not tell which of them it was
        const alike = text === printInterrupts({ ...table, dialect: found.dialect });
        if (!alike) expect(found.dialect).toBe(dialect);
        expect({ ...found, dialect }).toEqual(table);
      }),
      { numRuns: 200, seed: 20260401 },
    );
  });

  test('a damaged table is either read and printed back, or told in one line', () => {
    fc.assert(
      fc.property(
        tableOf(layout),
        fc.nat(),
        fc.nat(40),
        fc.string({ maxLength: 12, unit: 'binary' }),
        (table, from, cut, put) => {
          const text = printInterrupts(table);
          const at = from % text.length;
          survives(text.slice(0, at) + put + text.slice(at + cut));
        },
      ),
      { numRuns: 300, seed: 20260402 },
    );
  });
});

/** Reading ends in fields that print the text again, blanks at line ends aside, or in a FormatError. */
function survives(text: string): void {
  let found: Interrupts;
  try {
    found = parseInterrupts(text, 'f');
  } catch (e) {
    expect(e).toBeInstanceOf(FormatError);
    expect(findControl((e as FormatError).message)).toBe(-1);
    expect((e as FormatError).message).toMatch(/^f:\d+: ./);
    return;
  }
  const trimmed = (s: string) => s.replace(/ +$/gm, '');
  expect(trimmed(printInterrupts(found))).toBe(trimmed(text));
}

test('a file cut off anywhere is read or refused, never worse', () => {
  const text = capture('xen-x86/dom0-q35-load.interrupts.1.txt');
  for (let at = 0; at < text.length; at += 37) {
    if (text[at - 1] === '\n') survives(text.slice(0, at));
    else expect(() => parseInterrupts(text.slice(0, at), 'f')).toThrow(FormatError);
  }
});

test.each([
  ['softirqs', parseSoftirqs, 'xen-x86/dom0-q35-load.softirqs.1.txt'],
  ['stat', parseStat, 'xen-x86/dom0-q35-load.stat.1.txt'],
] as const)('garbage in /proc/%s ends in a FormatError', (_name, parse, name) => {
  const good = capture(name);
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.string({ maxLength: 8, unit: 'binary' }), (at, put) => {
      try {
        parse(good.slice(0, at) + put + good.slice(at + 3), 'f');
      } catch (e) {
        expect(e).toBeInstanceOf(FormatError);
      }
    }),
    { numRuns: 400, seed: 20260403 },
  );
});

test('random bytes are refused', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      expect(() => parseInterrupts(text, 'f')).toThrow(FormatError);
    }),
    { numRuns: 300, seed: 20260404 },
  );
});
