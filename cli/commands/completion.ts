/** `virqtop completion`: what makes a shell complete the command line. */
import { builtinScenarios } from '../../engine/index.ts';
import { bash } from '../completion/bash.ts';
import { fish } from '../completion/fish.ts';
import { completedCommands } from '../completion/words.ts';
import { zsh } from '../completion/zsh.ts';
import type { Output } from '../output.ts';
import { hint, quoted, UsageError } from '../usage.ts';

const SHELLS = { bash, zsh, fish } as const;

export async function completion(shell: string | undefined, out: Output): Promise<number> {
  const script = Object.entries(SHELLS).find(([name]) => name === shell)?.[1];
  if (!script) {
    const what = shell === undefined ? '' : ` ${quoted(shell)}`;
    throw new UsageError(`completion${what}: must be a shell${hint(shell ?? '', Object.keys(SHELLS))}`);
  }
  const names = builtinScenarios().map((s) => s.name);
  await out.write(script(completedCommands(), names));
  return 0;
}
