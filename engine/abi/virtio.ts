/** Numbers of virtio 1.1 that driver and device agree on. */

/** device status (2.1) */
export const STATUS = { acknowledge: 1, driver: 2, driverOk: 4, featuresOk: 8, failed: 128 } as const;

/** Offsets of the common configuration (4.1.4.3). */
export const COMMON = {
  deviceFeatureSelect: 0,
  deviceFeature: 4,
  driverFeatureSelect: 8,
  driverFeature: 12,
  msixConfig: 16,
  numQueues: 18,
  deviceStatus: 20,
  configGeneration: 21,
  queueSelect: 22,
  queueSize: 24,
  queueMsixVector: 26,
  queueEnable: 28,
  queueNotifyOff: 30,
  queueDesc: 32,
  queueDriver: 40,
  queueDevice: 48,
} as const;

/** no vector */
export const NO_VECTOR = 0xffff;

/** ISR status (4.1.4.5) */
export const ISR_QUEUE = 1;
export const ISR_CONFIG = 2;

/** feature bits */
export const VERSION_1 = 32;
export const BLK_F_MQ = 12;
export const NET_F_STATUS = 16;
export const NET_F_CTRL_VQ = 17;
export const NET_F_MQ = 22;

/** Where QEMU puts the structures within the memory of a function. */
export const LAYOUT = { common: 0x0000, isr: 0x1000, device: 0x2000, notify: 0x3000, multiplier: 4 } as const;

/** A block request as its buffer says it: type (5.2.6) and length in sectors. */
export const BLK = { in: 0, out: 1, flush: 4 } as const;

export function blockRequest(type: number, sectors: number): number {
  return sectors * 8 + type;
}

export function blockRequestOf(content: number): { readonly type: number; readonly sectors: number } {
  return { type: content % 8, sectors: Math.floor(content / 8) };
}

/** A command of the control queue of a network card (5.1.6.5): class, command and its argument. */
export const CTRL_MQ_PAIRS_SET = 0x0400;

export function control(command: number, argument: number): number {
  return argument * 0x1_0000 + command;
}

export function controlOf(content: number): { readonly command: number; readonly argument: number } {
  return { command: content % 0x1_0000, argument: Math.floor(content / 0x1_0000) };
}
