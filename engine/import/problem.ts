/** What is wrong with a file that is imported, and where: a line, for text a line number, for bytes an offset. */
import { printable, UserError } from '../core/errors.ts';

/** `FILE: offset N: what is wrong, what would be right` */
export function atOffset(file: string, offset: number, problem: string): UserError {
  return new UserError(`${printable(file, Infinity)}: offset ${offset}: ${problem}`);
}

/** Of the whole file. */
export function ofFile(file: string, problem: string): UserError {
  return new UserError(`${printable(file, Infinity)}: ${problem}`);
}
