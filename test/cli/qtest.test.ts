/** `virqtop qtest` as a user has it: the examples of its page, and what it says of a board that there is not. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT, shell, virqtop } from './run.ts';

const PAGE = readFileSync(join(ROOT, 'docs/chips.md'), 'utf8');

/** The page's session with this board: a line of the shell, or two. */
function session(machine: string): string {
  const blocks = PAGE.split('```').filter((block) => block.includes('printf'));
  return blocks.find((block) => block.includes(`virqtop qtest --machine ${machine}\n`))!;
}

test('the example for a PC raises a pin of the IOAPIC', async () => {
  const { code, stdout } = await shell(session('pc'));
  expect([code, stdout.split('\n')]).toEqual([0, ['OK', 'OK', 'IRQ raise 4', 'OK', '']]);
});

test('the example for an ARM board takes SPI 4, INTID 36, by a read of IAR', async () => {
  const { code, stdout } = await shell(session('virt'));
  expect(code).toBe(0);
  expect(stdout.trimEnd().split('\n').at(-1)).toBe('OK 0x0000000000000024');
});

test('another board is refused in one line', async () => {
  const { code, stdout, stderr } = await virqtop('qtest', '--machine', 'q35');
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain("--machine 'q35': must be pc, virt or virt,gic-version=3");
  expect((await virqtop('qtest')).stderr).toContain(
    '--machine is missing: must be pc, virt or virt,gic-version=3',
  );
});
