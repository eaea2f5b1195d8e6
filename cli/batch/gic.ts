/** -b -g Xen on ARM: what the GIC holds, and each CPU's list registers. */
import {
  type GicCpuSnapshot,
  type GicInterruptSnapshot,
  hcrBits,
  misrBits,
  type XenArmSnapshot,
} from '../../engine/index.ts';
import { table } from '../table.ts';

export function gicTables({ gic }: XenArmSnapshot): string[] {
  return [interfaces(gic.cpus), waiting(gic.interrupts)];
}

/** A line for each CPU: what its interface runs and signals, who has its list registers. */
function interfaces(cpus: readonly GicCpuSnapshot[]): string {
  const rows = cpus.map(({ cpu, running, pending, vcpu, lrMask, lrs, hcr, misr }) => [
    `CPU${cpu}`,
    running > 0xff ? '-' : running.toString(16).padStart(2, '0'),
    pending >= 1020 ? '-' : String(pending),
    vcpu ?? '-',
    inUse(lrMask, lrs),
    hcrBits(hcr).join(' ') || '-',
    misrBits(misr).join(' ') || '-',
  ]);
  const titles = ['GIC', 'RUNNING', 'NEXT', 'VCPU', 'LRS IN USE', 'HCR', 'MISR'];
  return table(
    titles.map((title) => ({ title })),
    rows,
  );
}

/** `0 2 of 4`: which of how many. */
function inUse(mask: number, lrs: number): string {
  const used = Array.from({ length: lrs }, (_, lr) => lr).filter((lr) => (mask >>> lr) & 1);
  return `${used.join(' ') || '-'} of ${lrs}`;
}

/** What is pending, active or high now. */
function waiting(interrupts: readonly GicInterruptSnapshot[]): string {
  const busy = interrupts.filter(({ pending, active, line }) => pending || active || line);
  const rows = busy.map(({ intid, cpu, pending, active, line, targets, owner }) => {
    const state = [pending ? 'pending' : '', active ? 'active' : '', line ? 'high' : ''].filter(Boolean);
    const to = cpu >= 0 ? [cpu] : targets;
    return [String(intid), state.join(', '), to.map((n) => `CPU${n}`).join(' '), owner];
  });
  const columns = [{ title: 'INTID', right: true }, { title: 'STATE' }, { title: 'FOR' }, { title: 'OWNER' }];
  return table(columns, rows.length > 0 ? rows : [['-', '', '', '']]);
}
