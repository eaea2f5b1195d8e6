/**
 * What a virtual CPU of an HVM guest has of interrupts: its local APIC, what waits for it beside that, and INIT and SIPI,
 * which Xen carries out in a tasklet while the sender is paused (xen/arch/x86/hvm/vlapic.c).
 */
import type { Clock } from '../../../core/clock.ts';
import type { Part, Plain } from '../../../core/state.ts';
import { Icr, LVT_MASKED, Mode, Reg } from '../../../hw/x86/apic-regs.ts';
import { LocalApic } from '../../../hw/x86/lapic.ts';
import type { HvmChips } from './hvm-chips.ts';
import { VlapicTimer } from './vlapic-timer.ts';
import type { Vpt } from './vpt.ts';

/** Level-triggered, and not asserted: the end of an INIT, which means nothing since the Pentium 4. */
const INIT_ENDS = Icr.level.mask;

export interface HvmVcpuOutput {
  /** events wait: evtchn_upcall_pending of its vcpu_info */
  upcallPending(): boolean;
  /**
   * `runInitSipi` of this virtual CPU is to be called by a tasklet. An INIT or SIPI of its waits for that, and it is paused
   * until then (init_sipi.tasklet); on 3.4 its own reset does, by an INIT (init_tasklet).
   */
  tasklet(): void;
  /** It starts by a SIPI at this page; `vector` -1: an INIT has taken it down. */
  started?(vector: number): void;
  /** It was reset, after an INIT. */
  reset?(): void;
  /** An NMI has brought back a virtual CPU that was down. */
  woken?(): void;
  /** as of LapicOutput */
  deliver?(vector: number, level: boolean): boolean;
  accepted?(vector: number, fresh: boolean): void;
  /** a vector was posted and is not in IRR yet (test_pir) */
  posted?(vector: number): boolean;
}

export interface HvmVcpuInit {
  /** of the domain, e.g. `d1` */
  readonly name: string;
  /** number of the virtual CPU in its domain */
  readonly vcpu: number;
  readonly chips: HvmChips;
  readonly vpt: Vpt;
  readonly clock: Clock;
  readonly tscKhz: number;
  readonly output: HvmVcpuOutput;
}

export class HvmVcpuApic implements Part {
  readonly id: string;
  readonly vcpu: number;
  readonly apic: LocalApic;
  timer!: VlapicTimer;
  nmiPending = false;
  /** a machine check */
  mcePending = false;
  /** it has been started (is_initialised) */
  initialised: boolean;
  /** it does not run until it is started, or until an NMI comes (VPF_down) */
  down: boolean;
  /** vector of the SIPI that started it last; -1: none has */
  startedBy = -1;
  /** its events come by this vector of its local APIC; 0: they do not (evtchn_upcall_vector) */
  upcallVector = 0;
  /** the command that waits for the tasklet; 0: none (init_sipi) */
  private icr = 0;
  private destination = 0;
  private readonly chips: HvmChips;
  private readonly output: HvmVcpuOutput;

  constructor(init: HvmVcpuInit) {
    const { name, vcpu, chips, vpt, clock, tscKhz, output } = init;
    this.id = `${name}.vlapic${vcpu}`;
    this.vcpu = vcpu;
    this.chips = chips;
    this.output = output;
    this.initialised = vcpu === 0;
    this.down = vcpu !== 0;
    const { deliver } = output;
    this.apic = new LocalApic({
      id: this.id,
      apicId: 2 * vcpu,
      bsp: vcpu === 0,
      options: chips.options.lapic,
      bus: chips.bus,
      clock,
      tscKhz,
      tscDeadline: chips.options.tscDeadline,
      timer: (apic) => {
        this.timer = new VlapicTimer(vpt, vcpu, apic, tscKhz, chips.options);
        return this.timer;
      },
      output: {
        request: () => chips.output.kick(vcpu),
        nmi: () => this.nmi(),
        command: (low, destination) => this.command(low, destination),
        lvt: (offset) => this.lvtWritten(offset),
        softwareEnabled: () => this.enabled(),
        switched: () => this.switched(),
        accepted: (vector, fresh) => {
          chips.hop('vlapic_set_irq', vcpu, vector);
          output.accepted?.(vector, fresh);
        },
        ...(deliver && { deliver: (vector: number, level: boolean) => deliver(vector, level) }),
      },
    });
    chips.vcpus.push(this);
  }

  /** An NMI for it; one waits at most. */
  pendNmi(): void {
    if (this.nmiPending) return;
    this.nmiPending = true;
    const { output } = this.chips;
    if (output.nmi) output.nmi(this.vcpu);
    else output.kick(this.vcpu);
  }

  /** A machine check for it (inject_vmce). */
  pendMce(): void {
    this.mcePending = true;
    this.chips.output.kick(this.vcpu);
  }

  /** An NMI by another one's ICR: it brings back who is down (vlapic_accept_irq). */
  private nmi(): void {
    if (!this.nmiPending && this.initialised && this.down && this.chips.options.nmiWakes) {
      this.down = false;
      this.output.woken?.();
    }
    this.pendNmi();
  }

  private lvtWritten(offset: number): void {
    this.chips.lvtWritten(offset);
    if (offset === Reg.LVT_TIMER && !(this.apic.reg(offset) & LVT_MASKED)) this.timer.mayUnmask();
  }

  /** SVR was written and the APIC is enabled: what interrupted in vain before does so again. */
  private enabled(): void {
    this.chips.unmasked();
    this.timer.mayUnmask();
    if (this.upcallVector !== 0 && this.output.upcallPending()) this.apic.setIrq(this.upcallVector);
  }

  private switched(): void {
    this.chips.unmasked();
    if (this.apic.hardwareEnabled) this.timer.mayUnmask();
  }

  /** Is its timer's interrupt masked? (pt_irq_masked) */
  get timerMasked(): boolean {
    return !this.apic.enabled || (this.apic.reg(Reg.LVT_TIMER) & LVT_MASKED) !== 0;
  }

  /** Is the vector requested? (vlapic_test_irq) */
  requested(vector: number): boolean {
    return this.apic.irr.has(vector) || this.output.posted?.(vector) === true;
  }

  get upcallPending(): boolean {
    return this.output.upcallPending();
  }

  // INIT and SIPI

  /** vlapic_ipi: a command of the ICR; true if the tasklet is to carry it out. */
  private command(low: number, destination: number): boolean {
    this.chips.hop('vlapic_ipi', this.vcpu, low);
    const mode = Icr.mode.get(low);
    if (mode !== Mode.INIT && mode !== Mode.SIPI) return false;
    if (this.chips.options.initSipi === 'at once') this.carryOut(low, destination);
    else if (this.icr === 0) {
      this.icr = low;
      this.destination = destination;
      this.output.tasklet();
    }
    return true;
  }

  /** Is it paused until the tasklet has run? */
  get commands(): boolean {
    return this.icr !== 0;
  }

  /** vlapic_init_sipi_action: the tasklet of this virtual CPU's command; on 3.4 vlapic_init_action, that of its reset. */
  runInitSipi(): void {
    const { icr, destination, chips } = this;
    if (chips.options.initSipi === 'at once') {
      if (this.down && this.initialised) this.reset();
      return;
    }
    if (icr === 0) return;
    chips.hop('vlapic_init_sipi_action', this.vcpu, icr);
    this.carryOut(icr, destination);
    this.icr = 0;
  }

  private carryOut(icr: number, destination: number): void {
    const { chips } = this;
    const logical = Icr.logical.has(icr);
    chips.bus.commanded(this.apic, destination, logical, Icr.shorthand.get(icr), (apic) => {
      const target = chips.vcpus[chips.bus.apics.indexOf(apic)]!;
      if (Icr.mode.get(icr) === Mode.SIPI) target.start(icr & 0xff);
      else if ((icr & (Icr.level.mask | Icr.assert.mask)) !== INIT_ENDS) target.init();
    });
  }

  /** INIT: it is down, as before it was started first (hvm_vcpu_down). */
  private init(): void {
    if (!this.initialised || this.down) return;
    this.down = true;
    this.output.started?.(-1);
    if (this.chips.options.initSipi === 'at once') this.output.tasklet();
    else this.reset();
  }

  /** vcpu_reset, vlapic_do_init */
  private reset(): void {
    this.initialised = false;
    this.nmiPending = false;
    this.mcePending = false;
    this.apic.reset(true);
    this.output.reset?.();
  }

  /** SIPI; one that runs already does not mind (hvm_vcpu_reset_state). */
  private start(vector: number): void {
    if (this.chips.options.initSipi === 'at once' ? !this.down : this.initialised) return;
    if (this.initialised) this.reset();
    this.initialised = true;
    this.down = false;
    this.startedBy = vector;
    this.output.started?.(vector);
  }

  save(): Plain {
    const flags = [this.nmiPending, this.mcePending, this.initialised, this.down].map(Number);
    const { startedBy, upcallVector, icr, destination } = this;
    return { apic: this.apic.save(), flags, rest: [startedBy, upcallVector, icr, destination] };
  }

  restore(state: Plain): void {
    const s = state as unknown as {
      apic: Plain;
      flags: number[];
      rest: [number, number, number, number];
    };
    this.apic.restore(s.apic);
    [this.nmiPending, this.mcePending, this.initialised, this.down] = s.flags.map((n) => n === 1) as [
      boolean,
      boolean,
      boolean,
      boolean,
    ];
    [this.startedBy, this.upcallVector, this.icr, this.destination] = s.rest;
  }
}
