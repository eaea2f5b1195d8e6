/**
 * npm run bench [-- NAME... --no-gate]
 *
 * Runs the benchmarks and prints one table. A broken gate makes the exit code 1, unless --no-gate.
 */

import { type Bench, kept, type Result, table } from './bench.ts';
import { chips } from './chips.ts';
import { evtchn } from './evtchn.ts';
import { frame } from './frame.ts';
import { gic } from './gic.ts';
import { hold } from './hold.ts';
import { interrupt } from './interrupt.ts';
import { kvm } from './kvm.ts';
import { shortTraces, traces } from './trace.ts';
import { vgic } from './vgic.ts';

const BENCHES: readonly Bench[] = [
  hold,
  evtchn,
  chips,
  gic,
  vgic,
  kvm,
  interrupt,
  traces,
  shortTraces,
  frame,
];

async function main(argv: readonly string[]): Promise<number> {
  const names = argv.filter((arg) => arg !== '--no-gate');
  const unknown = names.find((name) => !BENCHES.some((bench) => bench.name === name));
  if (unknown !== undefined) {
    const known = BENCHES.map((bench) => bench.name).join(', ');
    process.stderr.write(`bench: there is no ${JSON.stringify(unknown)}; there are: ${known}, --no-gate\n`);
    return 2;
  }
  if (Number(process.versions.node.split('.')[0]) < 22) {
    process.stderr.write(
      `bench: the gates are for Node 22.12 or newer, this is ${process.version}: npm run bench\n`,
    );
    return 2;
  }
  const results: Result[] = [];
  for (const bench of BENCHES) {
    if (names.length === 0 ? !bench.onlyByName : names.includes(bench.name))
      results.push(...(await bench.run()));
  }
  process.stdout.write(`node ${process.version}, best of several rounds\n${table(results)}`);
  const broken = results.filter(({ gate }) => gate && !kept(gate)).length;
  if (broken === 0 || argv.includes('--no-gate')) return 0;
  process.stderr.write(`bench: ${broken} of the gates broken\n`);
  return 1;
}

process.exitCode = await main(process.argv.slice(2));
