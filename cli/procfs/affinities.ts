/**
 * The directory /proc/irq of a domain, as files that programs write: what they write is done to the simulated host, as a
 * process of that domain would do it, and what the host refuses is taken back.
 */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DomainSnapshot, Machine } from '../../engine/index.ts';
import { cpuListText, parseCpuList } from '../../tui/cpu-list.ts';
import { maskOf } from './files.ts';

/** The two ways in which a file says which CPUs. */
const FORMS = {
  smp_affinity: { text: maskOf, parse: parseMask },
  smp_affinity_list: { text: cpuListText, parse: parseCpuList },
} as const;
type Form = keyof typeof FORMS;

interface Entry {
  /** as the host has it */
  cpus: readonly number[];
  /** of each file, when we wrote it */
  readonly written: Record<Form, number>;
}

export class Affinities {
  private readonly entries = new Map<number, Entry>();

  constructor(private readonly root: string) {}

  /** Makes the directory. */
  open(domain: DomainSnapshot): void {
    const all = domain.interrupts.cpus;
    mkdirSync(join(this.root, 'irq'), { recursive: true });
    writeFileSync(join(this.root, 'irq/default_smp_affinity'), `${maskOf(all)}\n`);
    for (const { row, affinity = all } of domain.irqStates) {
      const dir = this.dir(row.irq);
      mkdirSync(dir);
      writeFileSync(join(dir, 'affinity_hint'), `${maskOf([])}\n`);
      writeFileSync(join(dir, 'node'), '0\n');
      writeFileSync(join(dir, 'spurious'), 'count 0\nunhandled 0\nlast_unhandled 0 ms\n');
      const entry = { cpus: affinity, written: { smp_affinity: 0, smp_affinity_list: 0 } };
      this.entries.set(row.irq, entry);
      this.write(row.irq, entry);
    }
  }

  /** Does what was written to files, and writes what has changed. */
  follow(machine: Machine, domain: DomainSnapshot): void {
    const all = domain.interrupts.cpus;
    for (const { row, affinity = all } of domain.irqStates) {
      const entry = this.entries.get(row.irq);
      if (!entry) continue;
      const wanted = this.wish(row.irq, entry, all.length);
      const refused =
        wanted &&
        machine.do({ do: 'affinity', domain: domain.name, irq: row.irq, cpus: wanted }).refused !== undefined;
      if (!refused && affinity.join() === entry.cpus.join()) continue;
      entry.cpus = affinity;
      this.write(row.irq, entry);
    }
  }

  /** What somebody has written; undefined: nothing, or nothing that makes sense. */
  private wish(irq: number, entry: Entry, cpus: number): readonly number[] | undefined {
    for (const form of Object.keys(FORMS) as Form[]) {
      const file = join(this.dir(irq), form);
      const { mtimeMs, size } = statSync(file);
      // an empty file is one that is just being written
      if (mtimeMs === entry.written[form] || size === 0) continue;
      entry.written[form] = mtimeMs;
      const found = FORMS[form].parse(readFileSync(file, 'utf8').trim(), cpus);
      if (typeof found !== 'string' && found.length > 0) return found;
      entry.cpus = []; // so that it is written anew
    }
    return undefined;
  }

  private write(irq: number, entry: Entry): void {
    for (const form of Object.keys(FORMS) as Form[]) {
      const file = join(this.dir(irq), form);
      writeFileSync(file, `${FORMS[form].text(entry.cpus)}\n`);
      entry.written[form] = statSync(file).mtimeMs;
    }
  }

  private dir(irq: number): string {
    return join(this.root, 'irq', String(irq));
  }
}

/** A mask in groups of 32 bits, as bitmap_parse() takes it. */
function parseMask(text: string, most: number): readonly number[] | string {
  if (!/^[0-9a-f]{1,8}(,[0-9a-f]{1,8})*$/i.test(text)) return 'no mask';
  const groups = text.split(',').reverse();
  const cpus = groups.flatMap((group, g) =>
    Array.from({ length: 32 }, (_, bit) => ((Number.parseInt(group, 16) >>> bit) & 1 ? g * 32 + bit : -1)),
  );
  return cpus.filter((cpu) => cpu >= 0 && cpu < most);
}
