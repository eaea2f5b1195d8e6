/** Lists of CPUs as smp_affinity_list has them: `0-1,3`. */

/** The CPUs, or what is wrong with the text. @param most CPUs there are */
export function parseCpuList(text: string, most: number): readonly number[] | string {
  const cpus = new Set<number>();
  for (const part of text.split(',')) {
    const [, first, last = first] = /^\s*(\d{1,4})(?:\s*-\s*(\d{1,4}))?\s*$/.exec(part) ?? [];
    if (first === undefined) return `no list of CPUs: "${text.trim()}"; it is written as 0-1,3`;
    const [from, to] = [Number(first), Number(last)];
    if (from > to) return `${from}-${to} goes backwards; it is written as ${to}-${from}`;
    if (to >= most) return `there is no CPU ${to}: ${most === 1 ? 'only CPU 0' : `0 to ${most - 1}`}`;
    for (let cpu = from; cpu <= to; cpu++) cpus.add(cpu);
  }
  return [...cpus].sort((a, b) => a - b);
}

export function cpuListText(cpus: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < cpus.length; ) {
    let end = i;
    while (cpus[end + 1] === cpus[end]! + 1) end++;
    parts.push(end > i ? `${cpus[i]}-${cpus[end]}` : `${cpus[i]}`);
    i = end + 1;
  }
  return parts.join(',');
}
