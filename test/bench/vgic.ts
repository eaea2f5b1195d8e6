/**
 * Xen's virtual GIC: what an interrupt of a guest costs from its injection to the moment Xen knows that the guest is done
 * with it. Beside it stands what the real code in C takes, scaled as for the chips of a PC.
 */
import { GICV2_VIRTUAL, GICV3_VIRTUAL } from '../../engine/hw/arm/virtual-options.ts';
import {
  GicCpu,
  Gich,
  GicV2Hw,
  GicV3Hw,
  Ich,
  NO_RAISES,
  Vgic,
  VgicDomain,
  type VgicHost,
  VirtualInterface,
  writeDistributor,
} from '../../engine/index.ts';
import { type Bench, best, inUnit, nsPer, type Result } from './bench.ts';
import { CProgram } from './c-program.ts';
import source from './hold.c';

/** many short rounds: some have the CPU for themselves */
const EVENTS = 100_000;
const ROUNDS = 40;
const WARM_UP = 10;
/** times the C figure */
const LIMIT = 2.5;
/** ns of the hold model with 64 timers where the C figures were taken */
const THERE = 21;
const HOLD_EVENTS = 250_000;

const LRS = 4;
const FIRST = 40;
const SPIS = 8;
/** GICD_ISENABLER1 */
const ENABLE = 0x104;
const WORD = 2;

class Machine {
  readonly domain: VgicDomain;
  readonly cpu: GicCpu;
  readonly vgic: Vgic;
  private readonly gich: Gich | undefined;
  private readonly ich: Ich | undefined;

  constructor(version: 2 | 3) {
    const options = version === 2 ? GICV2_VIRTUAL : GICV3_VIRTUAL;
    const output = { changed() {}, deactivate() {}, maintenance() {} };
    const core = new VirtualInterface('cpu0', options, output);
    if (version === 2) this.gich = new Gich(core);
    else this.ich = new Ich(core);
    this.domain = new VgicDomain({ id: 0, version, vcpus: 1, spis: 64, lrs: LRS, hardware: false });
    const hw = this.gich ? new GicV2Hw(this.gich) : new GicV3Hw(this.ich!);
    this.cpu = new GicCpu(0, hw, (_, v) => this.domain.vcpus[v]!);
    this.vgic = new Vgic(HOST);
    this.domain.vcpus[0]!.gic.vmcr = 0xf800_0000 + version - 1;
    core.writeHcr(1);
    this.vgic.gic.restoreState(this.cpu, this.domain.vcpus[0]!);
    writeDistributor(this.vgic, this.cpu, ENABLE, WORD, 0xffff_ffff);
  }

  /** The guest takes an interrupt and ends it. */
  handle(): number {
    const { gich, ich } = this;
    const irq = gich ? gich.iar() : ich!.iar(1);
    if (gich) gich.eoir(irq);
    else ich!.eoir(1, irq);
    return irq;
  }
}

const nothing = () => {};
const HOST: VgicHost = {
  kick: nothing,
  isOnline: () => true,
  processor: () => 0,
  enable: nothing,
  disable: nothing,
  setPending: nothing,
  setType: nothing,
  setAffinity: nothing,
  raises: NO_RAISES,
};

interface Path {
  readonly title: string;
  /** interrupts of one round */
  readonly irqs: number;
  /** ns of the real code on GICv2 and GICv3 */
  readonly real: Readonly<Record<2 | 3, number>>;
  run(machine: Machine): void;
}

const PATHS: readonly Path[] = [
  {
    title: 'inject, list register, acknowledge, EOI, sync',
    irqs: 1,
    real: { 2: 32.8, 3: 29.5 },
    run(machine) {
      const { vgic, cpu, domain } = machine;
      vgic.injectIrq(cpu, domain, null, FIRST);
      vgic.gic.syncToLrs(cpu);
      if (machine.handle() !== FIRST) throw new Error('the interrupt did not arrive');
      vgic.gic.syncFromLrs(cpu);
    },
  },
  {
    title: `${SPIS} interrupts through ${LRS} list registers, each`,
    irqs: SPIS,
    real: { 2: 43.8, 3: 34.0 },
    run(machine) {
      const { vgic, cpu, domain } = machine;
      for (let i = 0; i < SPIS; i++) vgic.injectIrq(cpu, domain, null, FIRST + i);
      for (let handled = 0; handled < SPIS; ) {
        vgic.gic.syncToLrs(cpu);
        for (let i = 0; i < LRS; i++, handled++) {
          if (machine.handle() !== FIRST + handled) throw new Error('the interrupt did not arrive');
        }
        vgic.gic.syncFromLrs(cpu);
      }
    },
  },
];

export const vgic: Bench = {
  name: 'vgic',
  run() {
    const c = CProgram.compile(source);
    try {
      return PATHS.flatMap((path) => ([2, 3] as const).map((version) => measure(path, version, c)));
    } finally {
      c?.remove();
    }
  },
};

function measure(path: Path, version: 2 | 3, c: CProgram | undefined): Result {
  const machine = new Machine(version);
  const rounds = EVENTS / path.irqs;
  const loop = () => {
    for (let n = 0; n < rounds; n++) path.run(machine);
  };
  const ours: number[] = [];
  const hold: number[] = [];
  for (let round = 0; round < WARM_UP; round++) loop();
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(nsPer(EVENTS, loop));
    if (c) hold.push(Number(c.run(64, HOLD_EVENTS)[0]));
  }
  const title = `virtual GICv${version}: ${path.title}`;
  const measured = inUnit(best(ours), 'ns');
  if (!c) return { title, measured, beside: 'no C compiler' };
  const real = (path.real[version] * best(hold)) / THERE;
  return {
    title,
    measured,
    beside: `${inUnit(real, 'ns')} in C`,
    gate: { value: best(ours) / real, limit: LIMIT, unit: 'x C' },
  };
}
