/**
 * Where the functions of an arm64 kernel lie that the model runs, for who looks at its registers: one after the other in
 * the order below, each of 0x100 bytes, from where the kernel's text begins (KIMAGE_VADDR of asm/memory.h and 0x10000;
 * PAGE_OFFSET of a 32-bit one). PC is in the middle of the innermost function, LR behind the call in the one around it; the
 * stack of a CPU is 16 KiB, of which each frame takes 0x130 bytes.
 */
import type { CodePlace } from '../../hw/arm/cpu.ts';
import { EXCEPTION, EXIT, type Frame, HANDLER, POLLING, SOFTIRQ, SWITCH, THREAD, UPCALL } from './frames.ts';

const FUNCTIONS = [
  'cpu_do_idle',
  'default_idle_call',
  'worker_thread',
  'kthread',
  '__switch_to',
  '__schedule',
  'el1h_64_irq',
  'el1_interrupt',
  'gic_handle_irq',
  'generic_handle_domain_irq',
  'handle_irq_event',
  'irq_exit_rcu',
  '__do_softirq',
  'do_serror',
  'arm64_serror_panic',
  'secondary_entry',
] as const;
type Name = (typeof FUNCTIONS)[number];

const LENGTH = 0x100;
const TEXT = { arm64: 0x0801_0000, arm32: 0xc010_0000 } as const;
const STACKS = { arm64: 0x0a00_0000, arm32: 0xc200_0000 } as const;
const STACK = 0x4000;
const FRAME = 0x130;

/** of a kind of frame: the function it is in, and who has called that */
const PLACES: Readonly<Record<number, readonly [Name, Name]>> = {
  [SWITCH]: ['__switch_to', '__schedule'],
  [THREAD]: ['worker_thread', 'kthread'],
  [POLLING]: ['worker_thread', 'kthread'],
  [UPCALL]: ['gic_handle_irq', 'el1_interrupt'],
  [EXIT]: ['el1h_64_irq', 'el1_interrupt'],
  [HANDLER]: ['handle_irq_event', 'generic_handle_domain_irq'],
  [SOFTIRQ]: ['__do_softirq', 'irq_exit_rcu'],
  [EXCEPTION]: ['arm64_serror_panic', 'do_serror'],
};
const IDLE_PLACE = ['cpu_do_idle', 'default_idle_call'] as const;

export function addressOf(name: Name, aarch32 = false): number {
  return (aarch32 ? TEXT.arm32 : TEXT.arm64) + FUNCTIONS.indexOf(name) * LENGTH;
}

export function placeOf(frames: readonly Frame[], aarch32: boolean, cpu: number): CodePlace {
  const at = (frame: Frame) => PLACES[frame.kind] ?? IDLE_PLACE;
  const pcOf = (frame: Frame) => addressOf(at(frame)[0], aarch32) + LENGTH / 2;
  const top = frames.at(-1)!;
  const taken = frames.findLastIndex(({ kind }) => kind === UPCALL || kind === EXIT);
  return {
    pc: pcOf(top),
    lr: addressOf(at(top)[1], aarch32) + LENGTH - 0x20,
    elr: taken > 0 ? pcOf(frames[taken - 1]!) : 0,
    sp: (aarch32 ? STACKS.arm32 : STACKS.arm64) + (cpu + 1) * STACK - frames.length * FRAME,
  };
}
