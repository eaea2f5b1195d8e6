/** The whole host: its physical CPUs, and below them all virtual CPUs, whichever domain is chosen. */
import { hostCpuLines } from '../components/host-cpus.ts';
import { roomOf } from '../geometry.ts';
import { cpuLinesOf } from '../host-table.ts';
import type { Session } from '../session.ts';
import { countersLines } from './interrupts.ts';

export function hostLines(session: Session): string[] {
  const { frame, ui, size, paint, glyphs } = session;
  const room = roomOf(frame.snapshot, size, ui.prompt !== null);
  const height = cpuLinesOf(frame.snapshot.cpus.length, size.columns, room - 1);
  const cpus = hostCpuLines(session, height).map((line, i) =>
    line.paint(paint, size.columns, glyphs.ellipsis, i === 0 ? 'heading' : undefined),
  );
  while (cpus.length < height) cpus.push('');
  const lines = [...cpus, ...countersLines(session)].slice(0, room);
  while (lines.length < room) lines.push('');
  return lines;
}
