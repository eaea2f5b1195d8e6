/** What Xen's printk makes of lists and sets, for the texts of its debug keys (xen/common/vsprintf.c, bitmap.c). */

/** A text as it comes on Xen's console. */
export function consoleText(lines: readonly string[]): string {
  return lines.map((line) => `(XEN) ${line}\n`).join('');
}

/** `0-2,5`: %*pbl, and cpulist_scnprintf. @param set ascending */
export function ranges(set: readonly number[], join = ','): string {
  const out: string[] = [];
  for (let i = 0; i < set.length; ) {
    let last = i;
    while (set[last + 1] === set[last]! + 1) last++;
    out.push(last === i ? `${set[i]}` : `${set[i]}-${set[last]}`);
    i = last + 1;
  }
  return out.join(join);
}

/** `6`, of 40 bits `01,00000006`: %*pb, and cpumask_scnprintf. */
export function bitmap(set: readonly number[], bits: number): string {
  const words: string[] = [];
  for (let from = 0; from < bits; from += 32) {
    const word = set.reduce((w, n) => (n >= from && n < from + 32 ? w | (1 << (n - from)) : w), 0) >>> 0;
    words.unshift(hex(word, Math.ceil(Math.min(32, bits - from) / 4)));
  }
  return words.join(',');
}

export function hex(value: number, digits = 2): string {
  return value.toString(16).padStart(digits, '0');
}

export function number(value: number, width: number): string {
  return String(value).padStart(width);
}

/** A flag as %d prints it. */
export function bit(on: boolean): string {
  return on ? '1' : '0';
}
