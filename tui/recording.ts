/** What it takes to draw the monitor without a terminal. */
export type { DemoScript } from './demo.ts';
export { Driver, type DriverOptions } from './driver.ts';
export { lookOf } from './look.ts';
export { screenLines } from './screen.ts';
export { Session } from './session.ts';
