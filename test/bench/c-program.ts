/** A C program compiled for the occasion, where there is a compiler. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const CC = process.env.CC || 'cc';

export class CProgram {
  private readonly dir: string;
  private readonly binary: string;

  /** @throws Error if the compiler rejects the source */
  private constructor(source: string) {
    this.dir = mkdtempSync(join(tmpdir(), 'virqtop-bench-'));
    this.binary = join(this.dir, 'program');
    const file = join(this.dir, 'program.c');
    writeFileSync(file, source);
    // no fused multiply-add: the numbers must be those of JavaScript, to the last bit
    const cc = spawnSync(CC, ['-O2', '-ffp-contract=off', '-o', this.binary, file], { encoding: 'utf8' });
    if (cc.status !== 0) {
      this.remove();
      throw new Error(`${CC} failed: ${cc.stderr.split('\n')[0]}`);
    }
  }

  /** Undefined where there is no C compiler. */
  static compile(source: string): CProgram | undefined {
    const cc = spawnSync(CC, ['--version'], { stdio: 'ignore' });
    return cc.status === 0 ? new CProgram(source) : undefined;
  }

  /** Runs it and gives what it printed, split at blanks. */
  run(...args: readonly (string | number)[]): string[] {
    const run = spawnSync(this.binary, args.map(String), { encoding: 'utf8' });
    if (run.status !== 0) throw new Error(`the C program failed: ${run.error?.message ?? run.stderr}`);
    return run.stdout.trim().split(/\s+/);
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}
