/** What a value change dump says: the changes of each signal by its path. */

export type Changes = readonly (readonly [time: number, value: string])[];

export function parseVcd(text: string): Map<string, Changes> {
  const scope: string[] = [];
  const byId = new Map<string, [number, string][]>();
  const out = new Map<string, Changes>();
  let time = 0;
  let last: [number, string][] = [];
  for (const line of text.split('\n')) {
    const words = line.trim().split(/\s+/);
    if (words[0] === '$scope') scope.push(words[2]!);
    else if (words[0] === '$upscope') scope.pop();
    else if (words[0] === '$var') {
      last = [];
      byId.set(words[3]!, byId.get(words[3]!) ?? last);
      out.set([...scope, words[4]!.replace(/\[.*/, '')].join('.'), byId.get(words[3]!)!);
    } else if (/^#\d+$/.test(line)) time = Number(line.slice(1));
    else if (/^[01]./.test(line)) byId.get(line.slice(1))?.push([time, line[0]!]);
    else if (/^[brs]/.test(line) && words.length === 2) byId.get(words[1]!)?.push([time, words[0]!.slice(1)]);
  }
  return out;
}

/** Of bits. */
export function lastOf(changes: Changes): bigint {
  return BigInt(`0b${changes.at(-1)![1]}`);
}

/** Eight words, the lowest first. */
export function setOf(words: readonly number[]): bigint {
  return words.reduceRight((n, w) => (n << 32n) | BigInt(w >>> 0), 0n);
}
