/** The help: every key of the table by groups, and what the marks on the screen mean. */
import type { DeviceSnapshot } from '../engine/index.ts';
import { sanitize } from './format.ts';
import type { Glyphs } from './glyphs.ts';
import { GROUPS, KEYMAP } from './keymap.ts';
import { LineBuilder } from './line.ts';

/** Widest line of a block. */
export const HELP_COLUMN = 37;
const GAP = 3;
const LABEL = 10;

/** Lines that belong together, a heading first. */
export type HelpBlock = readonly LineBuilder[];

export function helpBlocks(devices: readonly DeviceSnapshot[], glyphs: Glyphs): HelpBlock[] {
  const entry = (label: string, about: string) =>
    new LineBuilder().add(' ').add(label, 'key').to(LABEL).add(about);
  const blocks = GROUPS.map((group): HelpBlock => {
    const lines = [new LineBuilder().add(group, 'heading')];
    for (const b of KEYMAP.filter((k) => k.group === group)) lines.push(entry(b.label, b.about));
    if (group === 'Fire') {
      for (const d of devices)
        lines.push(entry(`  ${d.key}`, sanitize(`${d.name}: ${d.title}`, glyphs.ascii)));
    }
    return lines;
  });
  const mark = (sign: string, about: string) => new LineBuilder().add(` ${sign}`).to(LABEL).add(about);
  const { bar, heat, spark } = glyphs;
  blocks.push([
    new LineBuilder().add('Marks', 'heading'),
    mark('P M A', 'pending, masked, active'),
    mark('P E R', 'softirq, EOI awaited, ready'),
    mark('P L A', 'pending, line high, active'),
    mark('+250', 'counted just now'),
    mark('/s', 'per simulated second'),
    ...(spark.length > 0 ? [mark(`${spark[1]}${spark.at(-1)}`, 'the last 30 s, or 5 min')] : []),
    mark(`${bar.guest} ${bar.xen} ${bar.idle}`, 'CPU in guest, Xen, idle'),
    mark(heat.join(''), "a row's CPUs, none to most"),
    mark('dim row', 'idle for 30 s'),
  ]);
  return blocks;
}

/** The blocks in as many columns as pad, filled from left to right. */
export function helpLines(blocks: readonly HelpBlock[], width: number, mark = '…'): LineBuilder[] {
  const columns = Math.max(1, Math.min(3, Math.floor((width - 1 + GAP) / (HELP_COLUMN + GAP))));
  const stacks = balance(blocks, columns);
  const height = Math.max(...stacks.map((s) => s.length));
  const cell = Math.min(60, Math.floor((width - 1 + GAP) / columns) - GAP);
  return Array.from({ length: height }, (_, row) => {
    const line = new LineBuilder();
    stacks.forEach((stack, c) => {
      const piece = stack[row];
      if (!piece || piece.width === 0) return;
      line.to(1 + c * (cell + GAP)).append(piece.cut(cell, mark));
    });
    return line;
  });
}

/** Blocks keep their order; the columns become as even as that allows. */
function balance(blocks: readonly HelpBlock[], columns: number): LineBuilder[][] {
  const total = blocks.reduce((n, b) => n + b.length + 1, 0);
  for (let height = Math.ceil(total / columns); ; height++) {
    const stacks: LineBuilder[][] = [[]];
    for (const block of blocks) {
      const last = stacks.at(-1)!;
      if (last.length > 0 && last.length + 1 + block.length > height) stacks.push([...block]);
      else last.push(...(last.length > 0 ? [new LineBuilder()] : []), ...block);
    }
    if (stacks.length <= columns) return stacks;
  }
}
