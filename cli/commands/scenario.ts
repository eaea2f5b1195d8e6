/** `virqtop scenario list` */
import { builtinScenarios } from '../../engine/index.ts';
import type { Output } from '../output.ts';

export async function scenarioList(out: Output): Promise<number> {
  const all = builtinScenarios();
  const width = Math.max(...all.map((s) => s.name.length));
  await out.write(all.map(({ name, title }) => `${name.padEnd(width)}  ${title}\n`).join(''));
  return 0;
}
