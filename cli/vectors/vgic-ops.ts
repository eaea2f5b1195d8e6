/** The operations of the virtual GIC's vectors: arguments in, results out. */
import {
  readDistributor,
  readRedistributor,
  writeDistributor,
  writeRedistributor,
  writeSgi1r,
} from '../../engine/index.ts';
import { BadVector, type Fields, integer } from './suite.ts';
import type { VgicMachine } from './vgic-host.ts';

export interface VgicOp {
  /** the members that are arguments beside `c`; all others are results */
  readonly args: readonly string[];
  run(machine: VgicMachine, op: Fields): Fields;
}

type Size = 0 | 1 | 2 | 3;
const U32 = 2 ** 32 - 1;

function silent(args: readonly string[], run: (machine: VgicMachine, op: Fields) => void): VgicOp {
  return {
    args: ['c', ...args],
    run(machine, op) {
      run(machine, op);
      return {};
    },
  };
}

function answers(args: readonly string[], run: (machine: VgicMachine, op: Fields) => Fields): VgicOp {
  return { args: ['c', ...args], run };
}

function sizeOf(op: Fields): Size {
  return integer(op, 'sz', 0, 3) as Size;
}

function irqOf({ domain }: VgicMachine, op: Fields, v: number): number {
  return integer(op, 'irq', v < 0 ? 32 : 0, 31 + domain.nrSpis);
}

function read(machine: VgicMachine, op: Fields): Fields {
  const { gic } = machine.cpuOf(op);
  machine.current(op);
  const size = sizeOf(op);
  const done =
    op.rd === undefined
      ? readDistributor(machine.vgic, gic, integer(op, 'off', 0, 0xffff), size)
      : readRedistributor(machine.vgic, gic, integer(op, 'rd', 0), integer(op, 'off', 0, 0x1ffff), size);
  if (!done) return { ok: 0 };
  const wide = size === 3 && machine.version === 3;
  return { ok: 1, val: done.low, ...(wide ? { hi: done.high } : {}) };
}

function write(machine: VgicMachine, op: Fields): Fields {
  const { gic } = machine.cpuOf(op);
  machine.current(op);
  const size = sizeOf(op);
  const low = integer(op, 'val', 0, U32);
  const high = op.hi === undefined ? 0 : integer(op, 'hi', 0, U32);
  const ok =
    op.rd === undefined
      ? writeDistributor(machine.vgic, gic, integer(op, 'off', 0, 0xffff), size, low, high)
      : writeRedistributor(
          machine.vgic,
          gic,
          integer(op, 'rd', 0),
          integer(op, 'off', 0, 0x1ffff),
          size,
          low,
          high,
        );
  return { ok: Number(ok) };
}

/** ICC_SGI1R_EL1 cannot be read. */
function sgi(machine: VgicMachine, op: Fields): Fields {
  const v = machine.current(op);
  if (op.read === 1) return { ok: 0 };
  writeSgi1r(machine.vgic, machine.cpuOf(op).gic, v, integer(op, 'hi', 0, U32), integer(op, 'val', 0, U32));
  return { ok: 1 };
}

const OPS: Readonly<Record<string, VgicOp>> = {
  enter: silent([], (machine, op) => {
    const cpu = machine.cpuOf(op);
    cpu.guestMode = false;
    machine.vgic.gic.syncFromLrs(cpu.gic);
  }),
  leave: silent([], (machine, op) => {
    const cpu = machine.cpuOf(op);
    machine.vgic.gic.syncToLrs(cpu.gic);
    cpu.guestMode = true;
  }),
  inj: silent(['v', 'irq', 'lvl'], (machine, op) => {
    const v = integer(op, 'v', -1, machine.domain.vcpus.length - 1);
    const to = v < 0 ? null : machine.domain.vcpus[v]!;
    machine.vgic.injectIrq(machine.cpuOf(op).gic, machine.domain, to, irqOf(machine, op, v), op.lvl !== 0);
  }),
  pirq: answers(['irq'], (machine, op) => {
    machine.cpuOf(op);
    return { r: Number(machine.raise(integer(op, 'c'), integer(op, 'irq'))) };
  }),
  w: answers(['rd', 'off', 'sz', 'val', 'hi'], write),
  r: answers(['rd', 'off', 'sz'], read),
  needs: answers([], (machine, op) => ({
    r: Number(machine.vgic.gic.vcpuPendingIrq(machine.cpuOf(op).gic)),
  })),
  sw: silent(['v'], (machine, op) => {
    machine.cpuOf(op);
    machine.switchTo(integer(op, 'c'), op.v === -1 ? null : machine.vcpuOf(op, 'v'));
  }),
  vmove: silent(['v', 'to'], (machine, op) => {
    const v = machine.vcpuOf(op, 'v');
    machine.processors[v.id] = integer(op, 'to', 0, machine.cpus.length - 1);
    machine.vgic.moveIrqs(machine.cpuOf(op).gic, v);
  }),
  ack: answers([], (machine, op) => {
    const { gich, ich } = machine.cpuOf(op);
    return { r: gich ? gich.iar() : ich!.iar(1) };
  }),
  eoi: silent(['irq'], (machine, op) => {
    const { gich, ich } = machine.cpuOf(op);
    const irq = integer(op, 'irq', 0, 1023);
    if (gich) gich.eoir(irq);
    else ich!.eoir(1, irq);
  }),
  pmr: silent(['val'], (machine, op) => {
    const { gich, ich } = machine.cpuOf(op);
    (gich ?? ich!).writePmr(integer(op, 'val', 0, 0xff));
  }),
};

const OPS_V2: Readonly<Record<string, VgicOp>> = {
  down: silent([], (machine, op) => {
    machine.offline[machine.current(op).id] = true;
  }),
  up: silent(['v'], (machine, op) => {
    const v = machine.vcpuOf(op, 'v');
    machine.vgic.clearPendingIrqs(v);
    machine.offline[v.id] = false;
  }),
};

/** Reads have results of the names that writes have as arguments. */
const OPS_V3: Readonly<Record<string, VgicOp>> = {
  sgi: answers(['hi', 'val', 'a32', 'read'], sgi),
};

const BY_VERSION: Readonly<Record<2 | 3, ReadonlyMap<string, VgicOp>>> = {
  2: new Map(Object.entries({ ...OPS, ...OPS_V2 })),
  3: new Map(Object.entries({ ...OPS, ...OPS_V3 })),
};

/** @throws BadVector */
export function vgicOp(version: 2 | 3, name: unknown): VgicOp {
  const op = typeof name === 'string' ? BY_VERSION[version].get(name) : undefined;
  if (!op) throw new BadVector(`unknown operation ${JSON.stringify(name)}`);
  return op;
}
