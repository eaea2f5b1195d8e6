/** Interrupt chips without a processor that runs, to be driven from outside, register by register and wire by wire. */
import type { Clock } from '../core/clock.ts';
import type { Width } from '../core/registers.ts';

/** A chip with wires that can be driven and listened to. */
export interface WiredDevice {
  readonly inputs: number;
  drive(input: number, high: boolean): void;
  /** Listening to its inputs, or to its outputs, is hearing what `onSignal` tells. */
  readonly signals?: 'in' | 'out';
}

export interface QtestMachine {
  readonly clock: Clock;
  /** by the names that QEMU has for them on this machine */
  readonly devices: ReadonlyMap<string, WiredDevice>;
  /** a wire to the processor, at every change */
  onSignal: (wire: number, high: boolean) => void;
  in(port: number, width: Width): number;
  out(port: number, value: number, width: Width): void;
  load(address: number, width: Width): number;
  store(address: number, value: number, width: Width): void;
}
