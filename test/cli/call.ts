/** Runs a command line within the test: what it prints and its exit code, without the start of a program. */
import { PassThrough } from 'node:stream';
import { Output } from '../../cli/output.ts';
import { run } from '../../cli/start.ts';

export interface Called {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function called(...args: string[]): Promise<Called> {
  const chunks: Buffer[] = [];
  const out = new PassThrough().on('data', (chunk: Buffer) => chunks.push(chunk));
  let stderr = '';
  const code = await run(args, new Output(out), (line) => {
    stderr += line;
  });
  return { code, stdout: Buffer.concat(chunks).toString(), stderr };
}
