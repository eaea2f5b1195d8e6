/** The only door to the engine. */
export type { Account } from './core/books.ts';
export { ms, type Ns, seconds, us } from './core/clock.ts';
export { Machine, type SavedMachine } from './machine/machine.ts';
export type * from './proc/types.ts';
export * from './snapshot.ts';
