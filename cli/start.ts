/** Runs the command line and turns what comes of it into an exit code and, at most, one line of complaint. */
import { quickText } from './help.ts';
import { leaveOnInterrupt } from './interrupt.ts';
import { Output, OutputError, ReaderGone } from './output.ts';
import { printable, RunError, UsageError } from './usage.ts';

export async function start(argv: readonly string[]): Promise<void> {
  process.stderr.on('error', () => {}); // nobody reads complaints: nothing to be done
  leaveOnInterrupt();
  process.exitCode = await run(argv, new Output(process.stdout), (line) => process.stderr.write(line));
}

/** @returns 0 fine, 1 the run failed, 2 the user's mistake */
export async function run(
  argv: readonly string[],
  out: Output,
  say: (line: string) => void,
): Promise<number> {
  const complain = (message: string, code: number): number => {
    say(`virqtop: ${message}\n`);
    return code;
  };
  try {
    const text = quickText(argv);
    if (text !== undefined) {
      await out.write(text);
      return 0;
    }
    if (argv.length === 0) return await (await import('./commands/main.ts')).main({}, out); // nothing to parse
    const { runProgram } = await import('./program.ts');
    return await runProgram(argv, out);
  } catch (error) {
    if (error instanceof ReaderGone) return 0;
    if (error instanceof OutputError || error instanceof RunError) return complain(error.message, 1);
    if (error instanceof UsageError || (await isUserError(error))) {
      return complain(printable((error as Error).message), 2);
    }
    return complain(`internal error: ${error instanceof Error ? error.stack : String(error)}`, 1);
  }
}

/** The engine's word for a mistake of the user's; whatever threw one has loaded the engine already. */
async function isUserError(error: unknown): Promise<boolean> {
  const { UserError } = await import('../engine/index.ts');
  return error instanceof UserError;
}
