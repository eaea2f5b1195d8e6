/** How CPUs are listed, and text that is written over itself. */
import { expect, test } from 'vitest';
import { maskOf } from '../../../cli/procfs/files.ts';
import { SteadyText } from '../../../cli/procfs/steady.ts';
import { printCpuinfo, printUptime } from '../../../engine/index.ts';
import { cpuListText } from '../../../tui/cpu-list.ts';

test.each([
  [[0], '0', '1'],
  [[0, 1, 2, 3], '0-3', 'f'],
  [[1, 2, 4, 33], '1-2,4,33', '2,00000016'],
  [[31], '31', '80000000'],
  [[], '', '0'],
])('CPUs %j are %j, as a mask %j', (cpus, list, mask) => {
  expect([cpuListText(cpus), maskOf(cpus)]).toEqual([list, mask]);
});

test('numbers keep their places while they grow, and gaps stay as short as they are', () => {
  const steady = new SteadyText();
  const texts = [
    'cpu  9 0 3\nintr 99 0 7 0\n',
    'cpu  10 0 4\nintr 101 0 8 0\n',
    'cpu  123456 0 4\nintr 4294967295 0 9999 0\n',
  ];
  const laid = texts.map((text) => steady.lay(text));
  expect(laid[0]).toBe('cpu           9 0          3\nintr         99 0          7 0\n');
  expect(new Set(laid.map((text) => text.length)).size).toBe(1);
  for (const [i, text] of texts.entries()) expect(laid[i]!.split(/\s+/)).toEqual(text.split(/\s+/));
});

test('a bare machine has VMX, a guest knows of its hypervisor, arm64 has its own lines', () => {
  const x86 = (guest: boolean) => printCpuinfo({ arch: 'x86_64', cpus: [0, 1], guest });
  const flags = (text: string) => /^flags\t\t: (.*)$/m.exec(text)![1]!.split(' ');
  expect(flags(x86(false))).toEqual(expect.arrayContaining(['vmx', 'ept']));
  expect(flags(x86(true))).not.toContain('vmx');
  expect(flags(x86(true)).at(-1)).toBe('hypervisor');
  expect(x86(false).match(/^processor\t: \d$/gm)).toEqual(['processor\t: 0', 'processor\t: 1']);
  expect(printCpuinfo({ arch: 'aarch64', cpus: [0], guest: true })).toMatch(
    /^processor\t: 0\nBogoMIPS\t: 125\.00\n/,
  );
});

test('uptime counts hundredths', () => {
  expect(printUptime(12_345_678_901, 40_000_000_000)).toBe('12.34 40.00\n');
});
