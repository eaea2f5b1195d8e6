/** A command of which nothing is known yet: from a socket, or written by hand. */
import { command } from './command-schema.ts';
import { complain } from './complaint.ts';
import type { DemoCommand } from './demo.ts';
import { first, sentence } from './load.ts';

/** @returns the command, or what is wrong with it */
export function parseCommand(data: unknown): DemoCommand | string {
  const parsed = command.safeParse(data, { reportInput: true });
  if (parsed.success) return parsed.data;
  return sentence(complain(command, first(parsed.error.issues), data)[0]!);
}
