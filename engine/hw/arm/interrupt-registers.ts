/**
 * Registers in which every interrupt has a bit or a field: IGROUPR to ICFGR. They lie the same way in the distributor and
 * in the second frame of a redistributor, which has those of SGIs and PPIs only.
 */
import { ACTIVE, EDGE, ENABLED, type GicCore, GROUP1 } from './gic-core.ts';
import { GICD, PRIVATE, SGIS } from './gic-regs.ts';

interface Row {
  readonly base: number;
  readonly end: number;
  /** bits for each interrupt */
  readonly bits: number;
  get(core: GicCore, cpu: number, intid: number): number;
  set(core: GicCore, cpu: number, intid: number, value: number): void;
}

/** A row of one bit for each interrupt. */
function bits(
  base: number,
  get: (core: GicCore, cpu: number, intid: number) => boolean,
  set: (core: GicCore, cpu: number, intid: number, value: number) => void,
): Row {
  return {
    base,
    end: base + 0x80,
    bits: 1,
    get: (core, cpu, intid) => (get(core, cpu, intid) ? 1 : 0),
    set,
  };
}

/** A bit of its state. */
function state(bit: number) {
  return (core: GicCore, cpu: number, intid: number) => (core.flags[core.index(cpu, intid)]! & bit) !== 0;
}

/** A register that sets, or clears, the bit where a one is written. */
function ones(bit: number, on: boolean) {
  return (core: GicCore, cpu: number, intid: number, value: number) => {
    if (value === 1) core.change(cpu, intid, bit, on);
  };
}

const pending = (core: GicCore, cpu: number, intid: number) =>
  core.isPending(core.flags[core.index(cpu, intid)]!);

/** GICv2 has SGIs enabled for good and knows who sent them, so that bits cannot make them pending or not. */
const isFixed = (core: GicCore, intid: number) => core.version === 2 && intid < SGIS;

const ROWS: readonly Row[] = [
  bits(GICD.IGROUPR, state(GROUP1), (core, cpu, intid, value) => {
    core.change(cpu, intid, GROUP1, value === 1);
  }),
  bits(GICD.ISENABLER, state(ENABLED), ones(ENABLED, true)),
  bits(GICD.ICENABLER, state(ENABLED), (core, cpu, intid, value) => {
    if (value === 1 && !isFixed(core, intid)) core.change(cpu, intid, ENABLED, false);
  }),
  bits(GICD.ISPENDR, pending, (core, cpu, intid, value) => {
    if (value === 1 && !isFixed(core, intid)) core.latch(cpu, intid);
  }),
  bits(GICD.ICPENDR, pending, (core, cpu, intid, value) => {
    if (value === 1 && !isFixed(core, intid)) core.unlatch(cpu, intid);
  }),
  bits(GICD.ISACTIVER, state(ACTIVE), ones(ACTIVE, true)),
  bits(GICD.ICACTIVER, state(ACTIVE), ones(ACTIVE, false)),
  {
    base: GICD.IPRIORITYR,
    end: GICD.IPRIORITYR + 0x400,
    bits: 8,
    get: (core, cpu, intid) => core.priority[core.index(cpu, intid)]!,
    set: (core, cpu, intid, value) => core.setPriority(cpu, intid, value),
  },
  {
    base: GICD.ITARGETSR,
    end: GICD.ITARGETSR + 0x400,
    bits: 8,
    get: targetsOf,
    set: (core, _cpu, intid, value) => {
      if (core.version === 2 && intid >= PRIVATE) core.setTargets(intid, value);
    },
  },
  {
    base: GICD.ICFGR,
    end: GICD.ICFGR + 0x100,
    bits: 2,
    get: (core, cpu, intid) => (state(EDGE)(core, cpu, intid) ? 2 : 0),
    set: (core, cpu, intid, value) => {
      if (intid >= SGIS) core.change(cpu, intid, EDGE, (value & 2) !== 0);
    },
  },
];

/** ITARGETSR of a private interrupt tells a CPU its own number; without a choice, and with routing, it is RAZ/WI. */
function targetsOf(core: GicCore, cpu: number, intid: number): number {
  if (core.version === 3 || core.cpus === 1) return 0;
  return intid < PRIVATE ? 1 << cpu : core.targets[intid]!;
}

function rowAt(offset: number): Row | undefined {
  for (const row of ROWS) if (offset >= row.base && offset < row.end) return row;
  return undefined;
}

/** Is there such a row at this offset? */
export function isInterruptRegister(offset: number): boolean {
  return rowAt(offset) !== undefined;
}

/** Reads the fields of the INTIDs from `first` on, below `end`, as `cpu` sees them; those that are not there are 0. */
export function readInterrupts(
  core: GicCore,
  cpu: number,
  offset: number,
  width: number,
  first: number,
  end: number,
): number {
  const row = rowAt(offset);
  if (!row) return 0;
  const intid = ((offset - row.base) * 8) / row.bits;
  const count = (width * 8) / row.bits;
  let value = 0;
  for (let i = 0; i < count; i++) {
    const n = intid + i;
    if (n >= first && n < end) value |= row.get(core, cpu, n) << (i * row.bits);
  }
  return value >>> 0;
}

export function writeInterrupts(
  core: GicCore,
  cpu: number,
  offset: number,
  width: number,
  value: number,
  first: number,
  end: number,
): void {
  const row = rowAt(offset);
  if (!row) return;
  const intid = ((offset - row.base) * 8) / row.bits;
  const count = (width * 8) / row.bits;
  const mask = (1 << row.bits) - 1;
  for (let i = 0; i < count; i++) {
    const n = intid + i;
    if (n >= first && n < end) row.set(core, cpu, n, (value >>> (i * row.bits)) & mask);
  }
}
