/** /proc/uptime: uptime_proc_show() of fs/proc/uptime.c. */

/** @param time, idle nanoseconds since boot, and how many of them all CPUs together idled */
export function printUptime(time: number, idle: number): string {
  return `${seconds(time)} ${seconds(idle)}\n`;
}

function seconds(ns: number): string {
  const hundredths = Math.floor(ns / 10_000_000);
  return `${Math.floor(hundredths / 100)}.${String(hundredths % 100).padStart(2, '0')}`;
}
