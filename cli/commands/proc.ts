/** `virqtop proc`: a file of /proc as a guest shows it at a moment. */
import { printInterrupts, printSoftirqs, printStat, statOf, takeSnapshot } from '../../engine/index.ts';
import { domainOf, machineOf } from '../machine.ts';
import type { Options, ProcFile } from '../options.ts';
import type { Output } from '../output.ts';
import { Player } from '../player.ts';
import { checkMachine } from '../together.ts';
import { DEFAULT_AT } from './look.ts';

export async function proc(options: Options, out: Output): Promise<number> {
  checkMachine(options);
  const at = options.at ?? DEFAULT_AT;
  const machine = await machineOf(options);
  domainOf(takeSnapshot(machine), options.domain);
  const player = new Player(machine, options.fire);
  player.checkEnd(at);
  await player.advance(at);
  const snapshot = takeSnapshot(machine);
  const domain = domainOf(snapshot, options.domain);
  const print: Readonly<Record<ProcFile, () => string>> = {
    interrupts: () => printInterrupts(domain.interrupts),
    softirqs: () => printSoftirqs(domain.softirqs),
    stat: () => printStat(statOf(domain, snapshot.time)),
  };
  await out.write(print[options.file ?? 'interrupts']());
  return 0;
}
