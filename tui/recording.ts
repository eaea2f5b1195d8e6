/** What it takes to draw the monitor without a terminal. */
export type { DemoScript } from './demo.ts';
export { Driver, type DriverOptions } from './driver.ts';
export { ASCII, BLOCKS } from './glyphs.ts';
export { screenLines } from './screen.ts';
export { Session } from './session.ts';
export { colourDepth, THEMES } from './theme.ts';
