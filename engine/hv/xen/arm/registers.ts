/**
 * Registers as Xen prints them, for its debug key `d` and when it ends (show_registers and mode_string of
 * xen/arch/arm/traps.c).
 *
 * What the machine has is told as it is: PC, LR and SP by where the simulated functions lie, PSTATE, what trapped
 * instructions and exceptions have put into registers, HCR_EL2, VTCR_EL2, the VMID of VTTBR_EL2, syndromes and addresses.
 * There are no page tables, whose registers are 0, and no stacks in memory, which are left out.
 */
import type { CodePlace } from '../../../hw/arm/cpu.ts';
import type { Pcpu } from '../../pcpu.ts';
import { hex } from '../debug-keys/printk.ts';
import type { ArmVcpu } from './arm-vcpu.ts';
import type { Traps } from './traps.ts';
import { MODE_EL2H, PSR_MODE, pstate } from './user-regs.ts';
import { type XenFunction, xenAddress } from './xen-symbols.ts';

/** 44 bits of physical addresses, as Cortex-A57 has them (setup_virt_paging) */
const VTCR_EL2 = 0x8004_3594;
const SCTLR_EL2 = 0x30cd_183d;
/** before a guest has run (init_traps): AMO, IMO, FMO */
const HCR_XEN = 0x38;
/** PSTATE.D, A, I and F in Xen: interrupts and SErrors let in; SErrors alone */
const OPEN_DAIF = 0x240;
const MASKED_DAIF = 0x2c0;

const MODES: Readonly<Record<number, string>> = {
  4: '64-bit EL1t (Guest Kernel, thread)',
  5: '64-bit EL1h (Guest Kernel, handler)',
  9: '64-bit EL2h (Hypervisor, handler)',
  18: '32-bit Guest IRQ',
  19: '32-bit Guest SVC',
};

/** Where Xen is on a CPU whose own registers are shown. */
export interface XenPlace {
  readonly at: XenFunction;
  readonly from: XenFunction;
}

/** _show_registers of a virtual CPU. */
export function showGuest(traps: Traps, cpu: Pcpu, v: ArmVcpu): string[] {
  const place = v.guest.where?.() ?? { pc: 0, lr: 0, elr: 0, sp: 0 };
  const body = v.compat ? registers32(v, place) : registers64(v, place);
  return [...head(cpu), ...body, ...tail(traps, cpu, v.exited ? v.regs.hsr : traps.esr[cpu.cpu]!)];
}

/** The same of Xen itself: what ran when an exception came. */
export function showXen(traps: Traps, cpu: Pcpu, { at, from }: XenPlace): string[] {
  const daif = at === 'leave_hypervisor_to_guest' ? MASKED_DAIF : OPEN_DAIF;
  const { text, low } = xenAddress(at);
  const cpsr = MODE_EL2H | daif;
  return [
    ...head(cpu),
    `PC:     ${wide(low)} ${text}`,
    `LR:     ${wide(xenAddress(from).low)}`,
    `SP:     ${wide(stackOf(cpu), 0x8000)}`,
    `CPSR:   ${wide(cpsr)} MODE:${MODES[cpsr & PSR_MODE]}`,
    ...x64(new Uint32Array(62)),
    ...tail(traps, cpu, traps.esr[cpu.cpu]!),
  ];
}

/** The idle virtual CPU's stack: 32 KiB in the heap of the directmap. */
function stackOf({ cpu }: Pcpu): number {
  return 0x7fff_0000 - cpu * 0x8000 + 0x7e30;
}

function head({ cpu }: Pcpu): string[] {
  return ['----[ Xen-4.17.7  arm64  debug=n  Not tainted ]----', `CPU:    ${cpu}`];
}

function registers64(v: ArmVcpu, { pc, lr, elr, sp }: CodePlace): string[] {
  const { regs } = v;
  const cpsr = cpsrOf(v);
  return [
    `PC:     ${kernel(pc)}`,
    `LR:     ${kernel(lr)}`,
    `SP_EL0: ${wide(0)}`,
    `SP_EL1: ${kernel(sp)}`,
    `CPSR:   ${wide(cpsr)} MODE:${MODES[cpsr & PSR_MODE]}`,
    ...x64(regs.x),
    `   ELR_EL1: ${kernel(elr)}`,
    `   ESR_EL1: ${hex(regs.esrEl1, 8)}`,
    `   FAR_EL1: ${wide(0)}`,
    '',
    ` SCTLR_EL1: ${wide(0)}`,
    `   TCR_EL1: ${wide(0)}`,
    ` TTBR0_EL1: ${wide(0)}`,
    ` TTBR1_EL1: ${wide(0)}`,
    '',
  ];
}

function x64(x: Uint32Array): string[] {
  const at = (n: number) => {
    const name = n === 29 ? ' FP' : `X${n}`;
    return `${name.padStart(3)}: ${wide(x[2 * n]!, x[2 * n + 1]!)}`;
  };
  const lines: string[] = [];
  for (let n = 0; n < 30; n += 3) lines.push(`    ${at(n)} ${at(n + 1)} ${at(n + 2)}`);
  return [...lines, ''];
}

function registers32(v: ArmVcpu, { pc, lr, elr, sp }: CodePlace): string[] {
  const { regs } = v;
  const cpsr = cpsrOf(v);
  const r = (n: number) => `R${n}:${n < 10 ? ' ' : ''}${hex(regs.x[2 * n]!, 8)}`;
  const row = (...numbers: number[]) => `     ${numbers.map(r).join(' ')}`;
  const bank = (name: string, stack: number, link: number, spsr: number) =>
    `${name}: SP: ${hex(stack, 8)} LR: ${hex(link, 8)} SPSR:${hex(spsr, 8)}`;
  return [
    `PC:     ${hex(pc, 8)}`,
    `CPSR:   ${wide(cpsr)} MODE:${MODES[cpsr & PSR_MODE]}`,
    row(0, 1, 2, 3),
    row(4, 5, 6, 7),
    row(8, 9, 10, 11, 12),
    `USR: SP: ${hex(0, 8)} LR: ${wide(0)}`,
    bank('SVC', sp, lr, regs.spsrEl1),
    bank('ABT', 0, 0, regs.spsrAbt),
    bank('UND', 0, 0, regs.spsrUnd),
    bank('IRQ', 0, elr, regs.spsrIrq),
    bank('FIQ', 0, 0, regs.spsrFiq),
    'FIQ: R8: 00000000 R9: 00000000 R10:00000000 R11:00000000 R12:00000000',
    '',
    `     SCTLR: ${wide(0)}`,
    `       TCR: ${wide(0)}`,
    `     TTBR0: ${wide(0)}`,
    `     TTBR1: ${wide(0)}`,
    `      IFAR: ${hex(0, 8)}, IFSR: ${hex(0, 8)}`,
    `      DFAR: ${hex(0, 8)}, DFSR: ${hex(regs.esrEl1, 8)}`,
    '',
  ];
}

/** SPSR_EL2 of the frame, or PSTATE while the guest runs. */
function cpsrOf(v: ArmVcpu): number {
  return v.exited ? v.regs.cpsr : pstate(v.irqsMasked, v.compat);
}

function tail(traps: Traps, { cpu, current }: Pcpu, esr: number): string[] {
  const v = (current ?? traps.xen.vcpus[traps.loaded[cpu]!] ?? null) as ArmVcpu | null;
  const far = traps.far[cpu]!;
  return [
    `  VTCR_EL2: ${wide(VTCR_EL2)}`,
    // VMIDs begin with 1
    ` VTTBR_EL2: ${wide(0, v ? (v.domain + 1) * 0x1_0000 : 0)}`,
    '',
    ` SCTLR_EL2: ${wide(SCTLR_EL2)}`,
    `   HCR_EL2: ${wide(v ? v.hcr : HCR_XEN)}`,
    ` TTBR0_EL2: ${wide(0)}`,
    '',
    `   ESR_EL2: ${wide(esr)}`,
    // the page of the address, from bit 4 on
    ` HPFAR_EL2: ${wide(Math.floor(far / 4096) * 16)}`,
    `   FAR_EL2: ${wide(far % 2 ** 32, Math.floor(far / 2 ** 32))}`,
    '',
  ];
}

/** %016lx */
function wide(low: number, high = 0): string {
  return hex(high >>> 0, 8) + hex(low >>> 0, 8);
}

/** Of an arm64 kernel's text and stacks; 0 stays 0. */
function kernel(low: number): string {
  return wide(low, low === 0 ? 0 : 0xffff_8000);
}
