/** Which part of the screen gets how many lines. */
import type { DeviceSnapshot, Snapshot } from '../engine/index.ts';
import { footerHeight } from './components/footer.ts';
import { cpuGrid } from './components/header.ts';
import type { Size } from './session.ts';

export interface Geometry {
  /** most lines for the CPUs */
  readonly cpuLines: number;
  /** the rule and the hops below it */
  readonly journeyLines: number;
  /** hops one below the other, with what each cost */
  readonly tallJourney: boolean;
}

export function geometryOf({ rows }: Size): Geometry {
  const tallJourney = rows >= 50;
  return {
    cpuLines: rows < 30 ? 2 : rows < 50 ? 4 : 8,
    journeyLines: tallJourney ? 13 : rows < 20 ? 2 : rows < 36 ? 3 : 4,
    tallJourney,
  };
}

/**
 * Lines between the domains' line and the journey.
 * @param journey false: in a view that leaves it out, and takes its place
 */
export function roomOf({ cpus, devices }: Snapshot, size: Size, prompting: boolean, journey = true): number {
  const geometry = geometryOf(size);
  const above = 1 + cpuGrid(cpus.length, size.columns, geometry.cpuLines).lines + 1;
  const below =
    (journey ? geometry.journeyLines : 0) + (prompting ? 1 : 0) + footerHeight(devices, size.columns);
  return size.rows - above - below;
}

/** Lines between the top line and the keys. */
export function overlayHeight(devices: readonly DeviceSnapshot[], size: Size): number {
  return size.rows - 1 - footerHeight(devices, size.columns);
}
