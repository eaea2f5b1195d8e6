/**
 * What waits on ARM: of a domain the list registers of each virtual CPU, the chosen one first, as many in full as there
 * is room for; of Xen the physical GIC.
 */
import type { ArmSnapshot, XenArmSnapshot } from '../../engine/index.ts';
import { gicHead, gicInterrupts, gicLine } from '../components/gic.ts';
import { type ArmProcessor, fullHeight, fullLines, oneLine } from '../components/list-registers.ts';
import { LineBuilder } from '../line.ts';
import type { Session } from '../session.ts';

/** From the chosen one on, and around. */
function around<T>(all: readonly T[], chosen: number): T[] {
  return [...all.slice(chosen), ...all.slice(0, chosen)];
}

export function listRegisterLines(session: Session, arm: ArmSnapshot, height: number): LineBuilder[] {
  const { size, glyphs, vcpu } = session;
  const { columns: width } = size;
  const all = around(arm.vcpus, vcpu).map((v): ArmProcessor => ({ vcpu: v, arm, ascii: glyphs.ascii }));
  const [chosen, ...others] = all as [ArmProcessor, ...ArmProcessor[]];
  const kept = Math.min(others.length, Math.max(1, height - fullHeight(chosen)), 3);
  const lines = fullLines(chosen, width, height - kept);
  let left = height - lines.length;
  others.forEach((other, i) => {
    const rest = others.length - 1 - i;
    if (left - 1 - fullHeight(other) >= rest) {
      lines.push(new LineBuilder(), ...fullLines(other, width, fullHeight(other)));
      left -= 1 + fullHeight(other);
    } else if (left > 1 || (left === 1 && rest === 0)) {
      lines.push(oneLine(other, width));
      left--;
    } else if (left === 1) {
      lines.push(new LineBuilder().add(` ${rest + 1} more virtual CPUs, up and down choose`, 'dim'));
      left--;
    }
  });
  return lines;
}

/** lines of interrupts before other CPUs get more than one */
const INTERRUPTS = 4;

export function gicLines(session: Session, xen: XenArmSnapshot, height: number): LineBuilder[] {
  const { size, glyphs, vcpu, frame } = session;
  const { columns: width } = size;
  const { cpus } = frame.snapshot;
  const all = around(xen.gic.cpus, vcpu).map((gic) => {
    return { gic, xen, cpu: cpus[gic.cpu]!, ascii: glyphs.ascii };
  });
  const [chosen, ...others] = all as [(typeof all)[number], ...typeof all];
  const head = gicHead(chosen, width);
  const room = height - head.length;
  const lines = Math.min(others.length, Math.max(1, room - INTERRUPTS));
  const cut = lines < others.length;
  const below = others.slice(0, cut ? lines - 1 : lines).map((other) => gicLine(other, width));
  if (cut)
    below.push(
      new LineBuilder().add(` ${others.length - below.length} more CPUs, up and down choose`, 'dim'),
    );
  return [...head, ...gicInterrupts(chosen, room - below.length), ...below];
}
