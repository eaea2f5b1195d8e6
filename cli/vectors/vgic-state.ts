/** The state elements of the virtual GIC's vectors: what is expected beside what the model has. */
import type { VgicVcpu } from '../../engine/index.ts';
import { ExpectedState, ListBlock, ValueBlock } from './blocks.ts';
import { BadVector } from './suite.ts';
import type { VgicMachine } from './vgic-host.ts';

/** in `st`, `en` and `rp`: the SPIs, which are no virtual CPU's */
const SPIS = -1;

export class VgicExpected extends ExpectedState {
  constructor(private readonly machine: VgicMachine) {
    super();
    this.addVirtualInterfaces();
    this.addLists();
    this.addInterrupts();
    this.addDistributor();
    this.addPhysical();
  }

  /** Applies a change the vector tells of. @throws BadVector */
  apply(entry: unknown): void {
    const [key, ...rest] = Array.isArray(entry) ? (entry as unknown[]) : [];
    const apply = this.keys.get(key as string);
    const numbers = rest.flat();
    if (!apply || rest.length === 0 || !numbers.every(Number.isInteger)) {
      throw new BadVector('each of "s" must be the key of a state element, indices and values');
    }
    apply(numbers as number[]);
  }

  /** A row of elements of one key. */
  private row(key: string, size: number, width: number, live: () => ArrayLike<number>): ValueBlock {
    const block = this.add(new ValueBlock([key], size, width, live, true));
    this.keys.set(key, ([i, ...values]) => block.set(i!, values));
    return block;
  }

  /** A row of elements for each virtual CPU, and perhaps one for the SPIs. */
  private perVcpu(
    key: string,
    size: number,
    width: number,
    live: (v: VgicVcpu) => ArrayLike<number>,
    spis?: () => ArrayLike<number>,
  ): void {
    const { domain } = this.machine;
    const blocks = new Map<number, ValueBlock>();
    const add = (v: number, look: () => ArrayLike<number>) =>
      blocks.set(v, this.add(new ValueBlock([key, v], size, width, look, true)));
    for (const v of domain.vcpus) add(v.id, () => live(v));
    if (spis) add(SPIS, spis);
    this.keys.set(key, ([v, i, ...values]) => pick(blocks, v!).set(i!, values));
  }

  private addVirtualInterfaces(): void {
    const { machine } = this;
    const { domain, cpus, version } = machine;
    const width = version === 2 ? 1 : 2;
    const lrs = domain.vcpus[0]!.gic.lrHigh.length;
    this.perVcpu('lr', lrs, width, (v) => {
      const cpu = machine.runsOn(v);
      const lrMask = cpu ? cpu.gic.lrMask : v.lrMask;
      return Array.from({ length: lrs }, (_, n) => {
        const [high, low] = cpu ? cpu.gic.hw.peekLr(n) : [v.gic.lrHigh[n]! >>> 0, v.gic.lrLow[n]! >>> 0];
        const valid = version === 2 ? low & 0x3000_0000 : high & 0xc000_0000;
        const shown = valid !== 0 || (lrMask >>> n) & 1;
        return [high, low].slice(2 - width).map((half) => (shown ? half : 0));
      }).flat();
    });
    const vcpus = domain.vcpus.length;
    const each = (live: (v: VgicVcpu) => number) => () => domain.vcpus.map(live);
    this.row(
      'ap',
      vcpus,
      1,
      each((v) => {
        const { ap0, ap1 } = machine.runsOn(v)?.core ?? v.gic;
        return version === 2 ? ap0 : ap1;
      }),
    );
    const start = version === 2 ? 0xf800_0001 : 0xf800_0002;
    const vmcr = this.row(
      'vm',
      vcpus,
      1,
      each((v) => machine.runsOn(v)?.core.vmcr ?? v.gic.vmcr),
    );
    this.row(
      'lm',
      vcpus,
      1,
      each((v) => machine.runsOn(v)?.gic.lrMask ?? v.lrMask),
    );
    for (const v of domain.vcpus) vmcr.set(v.id, [start]);
    const hcr = this.row('hc', cpus.length, 1, () => cpus.map(({ core }) => core.hcr));
    for (const [c] of cpus.entries()) hcr.set(c, [1]);
  }

  private addLists(): void {
    const { domain } = this.machine;
    const lists = (key: string, live: (v: VgicVcpu) => number[]) => {
      const blocks = new Map(
        domain.vcpus.map((v) => [v.id, this.add(new ListBlock([key, v.id], () => live(v)))] as const),
      );
      this.keys.set(key, ([v, ...irqs]) => pick(blocks, v!).set(irqs));
    };
    lists('if', (v) => v.inflight().map((p) => p.irq));
    lists('lp', (v) => v.lrPending().map((p) => p.irq));
  }

  private addInterrupts(): void {
    const { domain } = this.machine;
    const ids = 32 + domain.nrSpis;
    const ranks = ids / 32;
    const states = (list: readonly { status: number; priority: number; lr: number }[]) =>
      list.flatMap((p) => [p.status, p.priority, p.lr]);
    const none = new Array<number>(32).fill(0);
    this.perVcpu(
      'st',
      ids,
      3,
      (v) => states(v.pending),
      () => [...none, ...none, ...none, ...states(domain.spis)],
    );
    this.perVcpu(
      'en',
      ranks,
      1,
      (v) => [v.privateIrqs.ienable],
      () => [0, ...domain.sharedIrqs.map((rank) => rank.ienable)],
    );
    this.perVcpu(
      'rp',
      ids,
      1,
      (v) => v.privateIrqs.priority,
      () => [...none, ...domain.sharedIrqs.flatMap((rank) => [...rank.priority])],
    );
  }

  private addDistributor(): void {
    const { domain, version } = this.machine;
    const ids = 32 + domain.nrSpis;
    const none = new Array<number>(32).fill(0);
    this.row('tg', ids, 1, () => [...none, ...domain.sharedIrqs.flatMap((rank) => [...rank.vcpu])]);
    this.row('cf', ids / 16, 1, () => [0, 0, ...domain.sharedIrqs.flatMap((rank) => [...rank.icfg])]);
    const ctlr = this.add(new ValueBlock(['ct'], 1, 1, () => [domain.ctlr], true));
    this.keys.set('ct', (values) => ctlr.set(0, values));
    if (version === 2) {
      const { offline } = this.machine;
      this.row('dn', domain.vcpus.length, 1, () => offline.map(Number));
      return;
    }
    ctlr.set(0, [0x10]);
    this.row('c1', domain.vcpus.length, 1, () => domain.vcpus.map((v) => v.privateIrqs.icfg[1]!));
  }

  private addPhysical(): void {
    const { domain, cpus, pirqs, processors, version } = this.machine;
    const blocks = new Map(
      pirqs.map((p) => {
        const live = () => [p.status, +p.enabled, +p.pending, +p.active, p.target, +p.edge];
        const block = this.add(new ValueBlock(['hw', p.irq], 1, 6, live));
        block.set(0, [2, 0, 0, 0, version === 2 ? 1 : 0, +p.edge]);
        return [p.irq, block] as const;
      }),
    );
    this.keys.set('hw', ([irq, ...values]) => pick(blocks, irq!).set(0, values));
    const current = this.add(
      new ValueBlock(['cu'], cpus.length, 1, () => cpus.map(({ gic }) => gic.current?.id ?? -1)),
    );
    this.keys.set('cu', ([c, ...values]) => current.set(c!, values));
    const modes = this.row('md', cpus.length, 1, () => cpus.map((cpu) => +cpu.guestMode));
    for (const [c] of cpus.entries()) {
      current.set(c, [c]);
      modes.set(c, [1]);
    }
    const places = this.row('pc', domain.vcpus.length, 1, () => processors);
    for (const v of domain.vcpus) places.set(v.id, [v.id % cpus.length]);
  }
}

function pick<T>(list: ReadonlyMap<number, T>, index: number): T {
  const item = list.get(index);
  if (item === undefined) throw new BadVector(`no virtual CPU or physical interrupt ${index}`);
  return item;
}
