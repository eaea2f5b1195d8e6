/** Accesses to virtual interfaces in the traces of real machines (test/captures/xen-arm64/excerpt-*.txt). */
import { capture } from './captures.ts';

const GICH = new Map([
  [0x00, 'GICH_HCR'],
  [0x08, 'GICH_VMCR'],
  [0xf0, 'GICH_APR'],
  ...Array.from({ length: 4 }, (_, n) => [0x100 + 4 * n, `GICH_LR${n}`] as const),
]);
const GICV = new Map([
  [0x0c, 'GICV_IAR'],
  [0x10, 'GICV_EOIR'],
]);

/** A line without its time. */
interface Line {
  readonly thread: string | undefined;
  readonly event: string;
  readonly text: string;
}

/**
 * What hypervisor and guest did to one CPU's virtual interface, as `GICH_LR0 write 1a000028`.
 * @param name the excerpt without its ending
 */
export function virtualAccesses(name: string, cpu: number): string[] {
  const lines = capture(`xen-arm64/excerpt-${name}.txt`)
    .split('\n')
    .flatMap((line): Line[] => {
      const found = /^(?:t?(?<thread>\d+) )?\d+(?:us)?: ?(?<event>\S+) (?<text>.*)$/.exec(line);
      return found ? [found.groups as unknown as Line] : [];
    });
  const cpus = cpusOf(lines);
  return lines.flatMap(({ thread, event, text }) => {
    const v3 = gicv3(event, text);
    if (v3) return v3.cpu === cpu ? [v3.access] : [];
    const v2 = gicv2(text);
    return v2 && (v2.cpu ?? cpus.get(thread ?? '')) === cpu ? [v2.access] : [];
  });
}

/** QEMU runs each CPU in a thread of its own; some lines name only that. */
function cpusOf(lines: readonly Line[]): Map<string, number> {
  const cpus = new Map<string, number>();
  for (const { thread, event, text } of lines) {
    const named = /^v?cpu (\d+)/.exec(text);
    if (thread && named && event.startsWith('gic_')) cpus.set(thread, Number(named[1]));
  }
  return cpus;
}

function gicv3(event: string, text: string): { cpu: number; access: string } | undefined {
  if (!/^gicv3_ic[hv]_/.test(event)) return undefined;
  const found = /^GICv3 (\S+) (read|write) cpu 0x([0-9a-f]+) value 0x([0-9a-f]+)$/.exec(text);
  if (!found) throw new Error(`what is ${event} ${text}?`);
  const [, register, way, cpu, value] = found as unknown as [string, string, string, string, string];
  const name = /_EL\d$/.test(register) ? register : `${register}_EL${register.startsWith('ICV') ? 1 : 2}`;
  return { cpu: Number.parseInt(cpu, 16), access: `${name} ${way} ${value}` };
}

function gicv2(text: string): { cpu: number | undefined; access: string } | undefined {
  const found = /^(?:vcpu (\d+) iface|hyp) (read|write) at 0x([0-9a-f]+):? 0x([0-9a-f]+)$/.exec(text);
  if (!found) return undefined;
  const [, cpu, way, at, value] = found as unknown as [string, string | undefined, string, string, string];
  const name = (cpu === undefined ? GICH : GICV).get(Number.parseInt(at, 16));
  if (!name) throw new Error(`what is at ${at}?`);
  return {
    cpu: cpu === undefined ? undefined : Number(cpu),
    access: `${name} ${way} ${Number.parseInt(value, 16).toString(16)}`,
  };
}

/** A part of a trace: from the n-th access (from 0) that reads as `from` on, as many as are wanted. */
export function accessesFrom(all: readonly string[], from: string, count: number, nth = 0): string[] {
  let at = -1;
  for (let i = 0; i <= nth; i++) {
    at = all.indexOf(from, at + 1);
    if (at < 0) throw new Error(`there are only ${i} of ${from}`);
  }
  return all.slice(at, at + count);
}
