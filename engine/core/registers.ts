/** Registers as a bus sees them: who is read and written at an offset. */

/** Width of an access in bytes. */
export type Width = 1 | 2 | 4 | 8;

/** Registers of a device; offsets count from the start of its range. */
export interface Registers {
  read(offset: number, width: Width): number;
  write(offset: number, value: number, width: Width): void;
}
