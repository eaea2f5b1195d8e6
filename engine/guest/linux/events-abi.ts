/** What the kernel does with event channels in memory, on either ABI; events-2l.ts and events-fifo.ts. */
import type { Part } from '../../core/state.ts';

export interface EventAbi extends Part {
  /** 'evtchn-2l' or 'evtchn-fifo', for messages */
  readonly name: string;
  /** ports the kernel can use: those below */
  readonly maxChannels: number;
  /** A port is about to be used, by code on this CPU: its word must exist. */
  setup(port: number, from: number): void;
  /** The port is notified on another CPU from now on. */
  bindToCpu(port: number, cpu: number): void;
  isPending(port: number): boolean;
  isMasked(port: number): boolean;
  clearPending(port: number): void;
  /** The kernel raises the port itself; nobody is told before it is unmasked. */
  setPending(port: number): void;
  mask(port: number): void;
  /** Lets the port through, on `cpu`; an event that came meanwhile is raised again. */
  unmask(port: number, cpu: number): void;
  /** An upcall begins on this CPU, or goes round once more. */
  begin(cpu: number): void;
  /** The next port to handle on this CPU, 0 when none is left. */
  next(cpu: number): number;
}
