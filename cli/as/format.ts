/** Numbers and times as C prints them. */
import { RTC_START } from '../../engine/index.ts';

/** `%.1f`: halves go to the even digit, where toFixed takes the larger one. */
export function fixed1(value: number): string {
  const quarters = value * 4;
  return Number.isInteger(quarters) && quarters % 4 === 1 ? `${Math.floor(value)}.2` : value.toFixed(1);
}

/** The date and time that the host's clock shows, in UTC. */
export function isoTime(time: number): string {
  const date = new Date((RTC_START + Math.floor(time / 1e9)) * 1000);
  return date.toISOString().slice(0, 19).replace('T', ' ');
}
