/** What `--as` makes of rare numbers; what it prints on hosts is compared with real programs in test/interop/as.test.ts. */
import { expect, test } from 'vitest';
import { fixed1, isoTime } from '../../cli/as/format.ts';
import { Irqtop, lsirq } from '../../cli/as/irqs.ts';
import { called } from './call.ts';

const FILE = `           CPU0       CPU1       CPU2       CPU3       
  0:         42          1          0          0   IO-APIC   2-edge      timer
NMI:          1          2          3          4   Non-maskable interrupts
ERR:          7
MIS:          0
`;

// both as the real ones print of this file
test('a row with one count has no name, and equal ones stay in their order', () => {
  expect(lsirq(FILE)).toBe(`IRQ TOTAL NAME
  0    43 IO-APIC 2-edge timer
NMI    10 Non-maskable interrupts
ERR     7 
MIS     0 
`);
  expect(new Irqtop('vm').look(FILE, 0)).toBe(`irqtop | total: 60 delta: 0 | vm | 2023-01-01 00:00:00+00:00

        cpu0 cpu1 cpu2 cpu3
  %irq: 83.3  5.0  5.0  6.7
%delta:                

IRQ TOTAL DELTA NAME                   
  0    43     0 IO-APIC 2-edge timer   
NMI    10     0 Non-maskable interrupts
ERR     7     0                        
MIS     0     0                        

`);
});

test('where nothing has counted a share is no number', () => {
  const idle = FILE.replaceAll(/ \d+ /g, (n) => ' 0 '.padStart(n.length)).replace('7', '0');
  expect(new Irqtop('vm').look(idle, 0)).toContain('  %irq: -nan -nan -nan -nan\n');
});

test('halves go to the even digit, as in C', () => {
  expect([0.25, 6.25, 0.75, 0.35, 12.34, 99.95].map(fixed1)).toEqual([
    '0.2',
    '6.2',
    '0.8',
    '0.3',
    '12.3',
    '100.0',
  ]);
});

test('dates are those of the host', () => {
  expect(isoTime(86_400_000_000_001)).toBe('2023-01-02 00:00:00');
});

test('proc is what virqtop proc prints; -n prints again after --delay', async () => {
  const [once, twice] = await Promise.all([
    called('proc', 'xen-pv-2.6.18', '--at', '0.2'),
    called('xen-pv-2.6.18', '--as', 'proc', '--at', '0.1', '-d', '0.1', '-n', '2'),
  ]);
  expect(twice.stdout.slice(-once.stdout.length)).toBe(once.stdout);
  expect(twice.stdout.match(/^ +CPU0 /gm)).toHaveLength(2);
});
