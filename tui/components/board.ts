/** The interrupt controllers of a PC's board: the IOAPIC's pins and the two 8259As. */
import {
  DELIVERY_MODES,
  type IoApicPinSnapshot,
  type PicSnapshot,
  type Redirection,
  redirection,
  type X86Snapshot,
} from '../../engine/index.ts';
import { padLeft, sanitize } from '../format.ts';
import { LineBuilder } from '../line.ts';
import type { Role } from '../theme.ts';
import { hex2 } from './bitmap.ts';

interface Pin {
  readonly pin: number;
  readonly line: boolean;
  readonly entry: Redirection;
  /** how much it is worth a line: 2 something is going on, 1 it may, 0 masked and silent */
  readonly worth: 0 | 1 | 2;
}

function pinOf({ pin, low, high, line }: IoApicPinSnapshot): Pin {
  const entry = redirection(low, high);
  const busy = line || entry.remoteIrr || entry.sendPending;
  return { pin, line, entry, worth: busy ? 2 : entry.masked ? 0 : 1 };
}

/** Lines that the IOAPIC wants when room is short: its heading and the pins that are not idle. */
export function ioApicWants({ ioapic }: X86Snapshot): number {
  if (!ioapic) return 0;
  return 1 + ioapic.pins.filter((pin) => pinOf(pin).worth > 0).length;
}

/** The pins in so many lines at most: all, or those that are worth most. */
export function ioApicLines(x86: X86Snapshot, height: number, ascii: boolean): LineBuilder[] {
  const { ioapic } = x86;
  if (!ioapic || height < 2) return [];
  const pins = ioapic.pins.map(pinOf);
  let shown = pins;
  if (pins.length > height - 1) {
    const worthy = pins.filter((p) => p.worth > 0);
    const room = worthy.length > height - 1 ? Math.max(1, height - 2) : height - 1;
    const best = [...worthy].sort((a, b) => b.worth - a.worth || a.pin - b.pin).slice(0, room);
    shown = pins.filter((p) => best.includes(p));
  }
  const lines = [
    new LineBuilder().add(' IOAPIC vec dest mode   trig     mask rirr line  state', 'heading'),
    ...shown.map((p) => pinLine(p, x86, ascii)),
  ];
  const hidden = pins.filter((p) => p.worth > 0).length - shown.length;
  if (hidden > 0 && lines.length < height)
    lines.push(new LineBuilder().add(`        ${hidden} more that may interrupt`, 'dim'));
  return lines;
}

/** column of what a pin waits for */
const STATE = 49;

function pinLine({ pin, line: up, entry, worth }: Pin, x86: X86Snapshot, ascii: boolean): LineBuilder {
  const base: Role | undefined = worth === 0 ? 'dim' : undefined;
  const flag = (line: LineBuilder, on: boolean, role: Role) => line.add(on ? '#' : '.', on ? role : 'dim');
  const to = `${entry.logical ? 'L' : 'P'}${hex2(entry.destination)}`;
  const trigger = `${entry.level ? 'level' : 'edge'}${entry.activeLow ? '-lo' : ''}`;
  const line = new LineBuilder()
    .add(padLeft(String(pin), 7), base)
    .add(
      `  ${hex2(entry.vector)} ${to}  ${DELIVERY_MODES[entry.mode]!.padEnd(6)} ${trigger.padEnd(8)} `,
      base,
    );
  flag(line, entry.masked, 'accent').add('    ');
  flag(line, entry.remoteIrr, 'warn').add('    ');
  line.add(up ? '1' : '0', up ? 'warn' : 'dim').add('    ');
  line.to(STATE);
  const owner = worth === 0 ? '' : ownerOf(x86, entry);
  const [text, role] = stateOf(entry, up);
  line.add(text, role);
  if (owner !== '') line.add(`${text === '' ? '' : ', '}${sanitize(owner, ascii)}`);
  return line;
}

/** What the pin waits for. */
function stateOf(entry: Redirection, up: boolean): readonly [text: string, role?: Role] {
  if (entry.remoteIrr) return [`waits for EOI of ${hex2(entry.vector)}`, 'warn'];
  if (entry.sendPending) return ['message waits to be taken', 'warn'];
  if (up && entry.masked) return ['up, but masked', 'warn'];
  return [''];
}

/** Who handles the vector on a processor that the message may reach. */
function ownerOf({ lapics, vectors }: X86Snapshot, entry: Redirection): string {
  const at = entry.logical ? undefined : lapics.find((apic) => apic.apicId === entry.destination);
  const candidates = at ? [at] : lapics;
  for (const { cpu } of candidates) {
    const owner = vectors[cpu]?.[entry.vector];
    if (owner !== undefined) return owner;
  }
  return '';
}

/** Both 8259As, master before slave. */
export function picLine([master, slave]: readonly [PicSnapshot, PicSnapshot]): LineBuilder {
  const line = new LineBuilder().add(' PIC', 'heading').add('  ');
  const pair = (name: string, of: (pic: PicSnapshot) => number, role?: Role) => {
    const set = of(master) !== 0 || of(slave) !== 0;
    line
      .add(`${name} `)
      .add(`${hex2(of(master))} ${hex2(of(slave))}`, set ? role : undefined)
      .add('  ');
  };
  pair('irr', (pic) => pic.irr, 'warn');
  pair('imr', (pic) => pic.imr);
  pair('isr', (pic) => pic.isr, 'good');
  pair('ELCR', (pic) => pic.elcr);
  pair('base', (pic) => pic.base);
  return line;
}
