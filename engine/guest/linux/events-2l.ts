/**
 * The 2-level ABI as Linux handles it (drivers/xen/events/events_2l.c; 2.6.18-xen: drivers/xen/core/evtchn.c):
 * a selector word tells which words of the pending bitmap to look at. A scan goes on where the last one
 * stopped, so that low ports do not starve high ones.
 */
import type { Hypercalls } from '../../abi/hypercalls.ts';
import { EVTCHN_2L_NR_CHANNELS, type SharedInfo } from '../../abi/xen.ts';
import type { Plain } from '../../core/state.ts';
import type { EventAbi } from './events-abi.ts';

/** How the kernels differ. */
export interface TwoLevelOptions {
  /** the timer's port is looked at before all others (pvops; 2.6.18-xen does not) */
  readonly timerFirst: boolean;
}

/** Where a CPU's scan is. */
interface Scan {
  /** words that the selector named and that are not done */
  words: number[];
  /** port to start the next scan at */
  nextPort: number;
  timerDone: boolean;
}

export class Events2l implements EventAbi {
  readonly id: string;
  readonly name = 'evtchn-2l';
  readonly maxChannels: number;
  private readonly bits: number;
  private readonly cpuOf: number[] = [];
  private scans: Scan[];

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
    this.scans = shared.vcpus.map(() => ({ words: [], nextPort: 0, timerDone: false }));
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

  /** The port's own CPU sets selector and upcall by hand; any other asks Xen. */
  unmask(port: number, cpu: number): void {
    if (this.cpuOf[port] !== cpu) {
      this.hypercalls(cpu).unmask(port);
      return;
    }
    const { shared } = this;
    shared.evtchnMask.clear(port);
    if (!shared.evtchnPending.has(port)) return;
    const info = shared.vcpus[cpu]!;
    if (info.pendingSel.set(Math.floor(port / this.bits))) info.upcallPending = 1;
  }

  begin(cpu: number): void {
    const info = this.shared.vcpus[cpu]!;
    const scan = this.scans[cpu]!;
    scan.timerDone = !this.options.timerFirst;
    const start = Math.floor(scan.nextPort / this.bits);
    const words = info.pendingSel.members();
    for (const w of words) info.pendingSel.clear(w);
    // from the word where the last scan stopped, round to it again for the bits before
    scan.words = [...words.filter((w) => w >= start), ...words.filter((w) => w < start)];
    if (words.includes(start)) scan.words.push(start);
  }

  next(cpu: number): number {
    const scan = this.scans[cpu]!;
    if (!scan.timerDone) {
      scan.timerDone = true;
      const port = this.timerPort(cpu);
      if (port !== 0 && this.active(port, cpu)) return port;
    }
    while (scan.words.length > 0) {
      const word = scan.words[0]!;
      const first = Math.floor(scan.nextPort / this.bits) === word ? scan.nextPort : word * this.bits;
      for (let port = first; port < (word + 1) * this.bits; port++) {
        if (!this.active(port, cpu)) continue;
        scan.nextPort = (port + 1) % this.maxChannels;
        return port;
      }
      scan.words.shift();
      // the word is done: the next one is looked at from its first port
      if (Math.floor(scan.nextPort / this.bits) === word)
        scan.nextPort = ((word + 1) * this.bits) % this.maxChannels;
    }
    return 0;
  }

  private active(port: number, cpu: number): boolean {
    const { evtchnPending, evtchnMask } = this.shared;
    return evtchnPending.has(port) && !evtchnMask.has(port) && this.cpuOf[port] === cpu;
  }

  save(): Plain {
    return { cpuOf: this.cpuOf.map((c) => c ?? -1), scans: this.scans.map((s) => ({ ...s })) };
  }

  restore(state: Plain): void {
    const s = state as unknown as { cpuOf: number[]; scans: Scan[] };
    this.cpuOf.length = 0;
    s.cpuOf.forEach((cpu, port) => {
      if (cpu !== null && cpu >= 0) this.cpuOf[port] = cpu;
    });
    this.scans = s.scans.map((scan) => ({ ...scan, words: [...scan.words] }));
  }
}
