/**
 * The 2-level ABI as Linux handles it (drivers/xen/events/events_2l.c; 2.6.18-xen: drivers/xen/core/evtchn.c):
 * a selector word tells which words of the pending bitmap to look at. In which order, is in events-2l-scan.ts.
 */
import type { Hypercalls } from '../../abi/hypercalls.ts';
import { EVTCHN_2L_NR_CHANNELS, type SharedInfo } from '../../abi/xen.ts';
import type { Plain } from '../../core/state.ts';
import { type ActiveBits, bitsBetween, makeScan, type Scan, type ScanKind } from './events-2l-scan.ts';
import type { EventAbi } from './events-abi.ts';

/** How the kernels differ. */
export interface TwoLevelOptions {
  /** the timer's port is looked at before all others (pvops; 2.6.18-xen does not) */
  readonly timerFirst: boolean;
  /** order of the scan; by default that of the kernels with and without `timerFirst` */
  readonly scan?: ScanKind;
  /** the kernel's domain has no irq enable of its own that looks for events: Xen unmasks a port that is pending */
  readonly asksToUnmask?: boolean;
}

/** An upcall under way on a CPU. */
interface Upcall {
  timerDone: boolean;
  /** the selector has been read */
  selected: boolean;
}

export class Events2l implements EventAbi {
  readonly id: string;
  readonly name = 'evtchn-2l';
  readonly maxChannels: number;
  private readonly bits: number;
  private readonly cpuOf: number[] = [];
  private readonly scans: readonly Scan[];
  private upcalls: Upcall[];
  private readonly active: readonly ActiveBits[];

  constructor(
    domain: string,
    private readonly shared: SharedInfo,
    private readonly hypercalls: (cpu: number) => Hypercalls,
    private readonly options: TwoLevelOptions,
    /** port of the timer on this CPU, 0 for none */
    private readonly timerPort: (cpu: number) => number,
  ) {
    this.id = `${domain}.events`;
    this.bits = shared.wordBits;
    this.maxChannels = this.bits === 64 ? EVTCHN_2L_NR_CHANNELS : 1024;
    const kind = options.scan ?? (options.timerFirst ? 'pvops' : '2.6.18');
    this.scans = shared.vcpus.map(() => makeScan(kind, this.bits));
    this.upcalls = shared.vcpus.map(() => ({ timerDone: true, selected: true }));
    this.active = shared.vcpus.map((_, cpu) => ({
      members: (word, from, to) => this.members(word, from, to).filter((bit) => this.isOn(word, bit, cpu)),
    }));
    for (let port = 0; port < this.maxChannels; port++) shared.evtchnMask.set(port);
  }

  setup(port: number): void {
    this.cpuOf[port] ??= 0;
  }

  bindToCpu(port: number, cpu: number): void {
    this.cpuOf[port] = cpu;
  }

  isPending(port: number): boolean {
    return this.shared.evtchnPending.has(port);
  }

  isMasked(port: number): boolean {
    return this.shared.evtchnMask.has(port);
  }

  clearPending(port: number): void {
    this.shared.evtchnPending.clear(port);
  }

  setPending(port: number): void {
    this.shared.evtchnPending.set(port);
  }

  mask(port: number): void {
    this.shared.evtchnMask.set(port);
  }

  /** The port's own CPU sets selector and upcall by hand, unless nothing would look at them; any other asks Xen. */
  unmask(port: number, cpu: number): void {
    const { shared } = this;
    if (this.cpuOf[port] !== cpu || (this.options.asksToUnmask && shared.evtchnPending.has(port))) {
      this.hypercalls(cpu).unmask(port);
      return;
    }
    shared.evtchnMask.clear(port);
    if (!shared.evtchnPending.has(port)) return;
    const info = shared.vcpus[cpu]!;
    if (info.pendingSel.set(Math.floor(port / this.bits))) info.upcallPending = 1;
  }

  begin(cpu: number): void {
    this.upcalls[cpu] = { timerDone: !this.options.timerFirst, selected: false };
  }

  next(cpu: number): number {
    const upcall = this.upcalls[cpu]!;
    if (!upcall.timerDone) {
      upcall.timerDone = true;
      const port = this.timerPort(cpu);
      if (port !== 0 && this.isPending(port) && !this.isMasked(port) && this.cpuOf[port] === cpu) return port;
    }
    const scan = this.scans[cpu]!;
    if (!upcall.selected) {
      // only now: what the timer's handler raised is seen too
      upcall.selected = true;
      const { pendingSel } = this.shared.vcpus[cpu]!;
      scan.begin(pendingSel.members());
      pendingSel.words.fill(0);
    }
    return Math.max(0, scan.next(this.active[cpu]!));
  }

  /** Pending and not masked. */
  private members(word: number, from: number, to: number): number[] {
    const { words: pending } = this.shared.evtchnPending;
    const { words: mask } = this.shared.evtchnMask;
    const i = (word * this.bits) >> 5;
    const high = this.bits === 64 ? pending[i + 1]! & ~mask[i + 1]! : 0;
    return bitsBetween(pending[i]! & ~mask[i]!, high, from, to);
  }

  private isOn(word: number, bit: number, cpu: number): boolean {
    return this.cpuOf[word * this.bits + bit] === cpu;
  }

  save(): Plain {
    return {
      cpuOf: Array.from(this.cpuOf, (c) => c ?? -1),
      upcalls: this.upcalls.map((u) => [Number(u.timerDone), Number(u.selected)]),
      scans: this.scans.map((s) => s.save()),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as { cpuOf: number[]; upcalls: [number, number][]; scans: Plain[] };
    this.cpuOf.length = 0;
    s.cpuOf.forEach((cpu, port) => {
      if (cpu >= 0) this.cpuOf[port] = cpu;
    });
    this.upcalls = s.upcalls.map(([timerDone, selected]) => ({
      timerDone: timerDone === 1,
      selected: selected === 1,
    }));
    this.scans.forEach((scan, cpu) => {
      scan.restore(s.scans[cpu]!);
    });
  }
}
