/** Sets of 256 vectors as rows of sixteen: a row for each high digit, a mark for each low one. */
import { highestOf } from '../../engine/index.ts';
import { LineBuilder } from '../line.ts';
import type { Role } from '../theme.ts';

export const ROWS = 16;
/** cells of a row */
export const BITS = 16;
export const DIGITS = '0123456789abcdef';

/** A set with its name; what it means to be in it decides the colour. */
export interface VectorMap {
  readonly name: string;
  readonly words: readonly number[];
  readonly role: Role;
}

/** The sixteen members of a row, the lowest in bit 0. */
function rowBits(words: readonly number[], row: number): number {
  return (words[row >> 1]! >>> ((row & 1) * BITS)) & 0xffff;
}

/** The rows that hold something, highest first. */
export function rowsInUse(words: readonly number[]): number[] {
  const out: number[] = [];
  for (let row = ROWS - 1; row >= 0; row--) if (rowBits(words, row) !== 0) out.push(row);
  return out;
}

/** The members of a row, highest first. */
export function membersOfRow(words: readonly number[], row: number): number[] {
  const bits = rowBits(words, row);
  const out: number[] = [];
  for (let n = BITS - 1; n >= 0; n--) if (bits & (1 << n)) out.push(row * BITS + n);
  return out;
}

/** `.#..............`: what is set is a mark, not only a colour. */
export function addRow(line: LineBuilder, { words, role }: VectorMap, row: number): LineBuilder {
  const bits = rowBits(words, row);
  if (bits === 0) return line.add('.'.repeat(BITS), 'dim');
  for (let n = 0; n < BITS; n++) {
    if (bits & (1 << n)) line.add('#', role);
    else line.add('.', 'dim');
  }
  return line;
}

/** Two hexadecimal digits, as vectors are written. */
export function hex2(value: number): string {
  return value.toString(16).padStart(2, '0');
}

/** The highest member, or a dash. */
export function highestText(words: readonly number[]): string {
  const highest = highestOf(words);
  return highest < 0 ? '-' : hex2(highest);
}

const LABEL = 3;
const MAP_GAP = 2;

/** Cells that so many whole maps take beside each other. */
export function wholeWidth(maps: number): number {
  return LABEL + maps * (BITS + MAP_GAP) - MAP_GAP;
}

/** Lines that whole maps take. */
export const WHOLE_HEIGHT = 2 + ROWS;

/** The maps whole and beside each other, under their names. */
export function wholeMaps(maps: readonly VectorMap[]): LineBuilder[] {
  const names = new LineBuilder();
  const digits = new LineBuilder();
  maps.forEach(({ name, words }, i) => {
    const at = LABEL + i * (BITS + MAP_GAP);
    names
      .to(at)
      .add(name, 'title')
      .add(` highest ${highestText(words)}`);
    digits.to(at).add(DIGITS, 'heading');
  });
  const rows = Array.from({ length: ROWS }, (_, row) => {
    const line = new LineBuilder().add(` ${DIGITS[row]} `);
    maps.forEach((map, i) => {
      addRow(line.to(LABEL + i * (BITS + MAP_GAP)), map, row);
    });
    return line;
  });
  return [names, digits, ...rows];
}
