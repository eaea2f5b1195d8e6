/**
 * Words of x86 interrupt hardware taken apart, for those who print them: redirection entries of the IOAPIC (82093AA
 * datasheet, 3.2.4) and interruption information of a VMCS (SDM volume 3, "VM-Entry Controls for Event Injection").
 */
import { bit, Field } from '../core/bits.ts';

const VECTOR = new Field(0, 8);
const MODE = new Field(8, 3);
const LOGICAL = bit(11);
const STATUS = bit(12);
const LOW = bit(13);
const REMOTE_IRR = bit(14);
const LEVEL = bit(15);
const MASKED = bit(16);

/** Delivery modes by their numbers; two are reserved. */
export const DELIVERY_MODES = [
  'fixed',
  'lowest',
  'SMI',
  'reserved',
  'NMI',
  'INIT',
  'reserved',
  'ExtINT',
] as const;

export interface Redirection {
  readonly vector: number;
  /** index into `DELIVERY_MODES` */
  readonly mode: number;
  readonly logical: boolean;
  /** delivery status: the message waits to be taken */
  readonly sendPending: boolean;
  readonly activeLow: boolean;
  readonly remoteIrr: boolean;
  readonly level: boolean;
  readonly masked: boolean;
  readonly destination: number;
}

/** @param low bits 31-0 of the entry */
export function redirection(low: number, high: number): Redirection {
  return {
    vector: VECTOR.get(low),
    mode: MODE.get(low),
    logical: LOGICAL.has(low),
    sendPending: STATUS.has(low),
    activeLow: LOW.has(low),
    remoteIrr: REMOTE_IRR.has(low),
    level: LEVEL.has(low),
    masked: MASKED.has(low),
    destination: high >>> 24,
  };
}

const INFO_TYPE = new Field(8, 3);
const INFO_ERROR = bit(11);
const INFO_VALID = bit(31);

/** Interruption types by their numbers. */
const TYPES = [
  'external interrupt',
  'reserved',
  'NMI',
  'hardware exception',
  'software interrupt',
  'privileged software exception',
  'software exception',
  'other event',
] as const;

export interface Interruption {
  readonly vector: number;
  readonly type: (typeof TYPES)[number];
  readonly errorCode: boolean;
}

/** @returns null unless the word is marked valid */
export function interruption(info: number): Interruption | null {
  if (!INFO_VALID.has(info)) return null;
  return { vector: VECTOR.get(info), type: TYPES[INFO_TYPE.get(info)]!, errorCode: INFO_ERROR.has(info) };
}

/** The members of a set of vectors, lowest first. */
export function membersOf(words: readonly number[]): number[] {
  const out: number[] = [];
  words.forEach((word, w) => {
    for (let rest = word; rest !== 0; rest &= rest - 1) out.push(w * 32 + 31 - Math.clz32(rest & -rest));
  });
  return out;
}

/** The highest member of a set of vectors; -1 when it is empty. */
export function highestOf(words: readonly number[]): number {
  const w = words.findLastIndex((word) => word !== 0);
  return w < 0 ? -1 : w * 32 + 31 - Math.clz32(words[w]!);
}

export function isMember(words: readonly number[], vector: number): boolean {
  return ((words[vector >> 5]! >>> (vector & 31)) & 1) === 1;
}
