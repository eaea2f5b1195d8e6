/** The command line: which commands there are and what each runs. Their own code is loaded when they run. */
import { Command, CommanderError, Option } from 'commander';
import { optionsOf } from './flags/index.ts';
import { helpOf, VERSION_LINE } from './help.ts';
import type { CommandName, Options } from './options.ts';
import type { Output } from './output.ts';
import { quoted, UsageError } from './usage.ts';

/** What the command line turned out to ask for. */
type Job = () => Promise<number>;

/** Parses the arguments and runs what they ask for. @throws UsageError about the arguments */
export async function runProgram(argv: readonly string[], out: Output): Promise<number> {
  let job: Job = async () => 0;
  let text = '';
  const program = makeProgram(out, (chosen) => {
    job = chosen;
  });
  for (const command of [program, ...program.commands]) {
    command
      .configureOutput({
        writeOut: (s) => {
          text += s;
        },
        writeErr: () => {},
        outputError: () => {},
      })
      .configureHelp({ formatHelp: (c) => helpOf(c.name() as CommandName) })
      .exitOverride();
  }
  try {
    program.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw new UsageError(oneLine(error.message));
    await out.write(text);
    return 0;
  }
  return job();
}

function makeProgram(out: Output, choose: (job: Job) => void): Command {
  const program = new Command('virqtop')
    .argument('[scenario]')
    .enablePositionalOptions()
    .helpCommand(false)
    .version(VERSION_LINE.trimEnd(), '-V, --version')
    .action((name: string | undefined, options: Options) => {
      const all = withScenario(name, options);
      choose(async () => (await import('./commands/main.ts')).main(all, out));
    });
  program
    .command('proc')
    .argument('[scenario]')
    .action((name: string | undefined, options: Options, command: Command) => {
      const all = withScenario(name, withRoot(options, command));
      choose(async () => (await import('./commands/proc.ts')).proc(all, out));
    });
  program
    .command('procfs')
    .argument('<dir>')
    .argument('[scenario]')
    .action((dir: string, name: string | undefined, options: Options, command: Command) => {
      const all = withScenario(name, withRoot(options, command));
      choose(async () => (await import('./commands/procfs.ts')).procfs(dir, all));
    });
  program
    .command('exec')
    .argument('[command...]')
    .passThroughOptions()
    .action((words: string[], options: Options, command: Command) => {
      const all = withRoot(options, command);
      choose(async () => (await import('./commands/exec.ts')).exec(words, all));
    });
  program
    .command('compare')
    .argument('<a>')
    .argument('[b]')
    .action((a: string, b: string | undefined, options: Options, command: Command) => {
      const all = withRoot(options, command);
      choose(async () => (await import('./commands/compare.ts')).compare(a, b ?? a, all, out));
    });
  program
    .command('completion')
    .argument('[shell]')
    .action((shell: string | undefined, options: Options, command: Command) => {
      withRoot(options, command);
      choose(async () => (await import('./commands/completion.ts')).completion(shell, out));
    });
  program
    .command('demo')
    .argument('[name]')
    .action((name: string | undefined, options: Options, command: Command) => {
      const all = withRoot(options, command);
      choose(async () => (await import('./commands/demo.ts')).demo(name, all, out));
    });
  program
    .command('import')
    .argument('<file>')
    .action((file: string, options: Options, command: Command) => {
      const all = withRoot(options, command);
      choose(async () => (await import('./commands/import.ts')).importTrace(file, all, out));
    });
  program
    .command('paper')
    .argument('[row...]')
    .action((rows: string[], options: Options, command: Command) => {
      const all = withRoot(options, command);
      choose(async () => (await import('./commands/paper.ts')).paper(rows, all, out));
    });
  program.command('qtest').action((options: Options, command: Command) => {
    const { machine } = withRoot(options, command);
    choose(async () => (await import('./commands/qtest.ts')).qtest(machine, out));
  });
  program
    .command('scenario')
    .argument('[what]')
    .argument('[name...]')
    .action((what: string | undefined, names: string[], options: Options, command: Command) => {
      const all = withRoot(options, command);
      choose(async () => (await import('./commands/scenario.ts')).scenario(what, names, all, out));
    });
  program
    .command('ctl')
    .argument('[verb]')
    .argument('[words...]')
    .action((verb: string | undefined, words: string[], options: Options, command: Command) => {
      const { socket } = withRoot(options, command);
      choose(async () => (await import('./commands/ctl.ts')).ctl(verb, words, socket, out));
    });
  program
    .command('serve')
    .argument('[scenario]')
    .action((name: string | undefined, options: Options, command: Command) => {
      const all = withScenario(name, withRoot(options, command));
      choose(async () => (await import('./commands/serve.ts')).serve(all));
    });
  program
    .command('trace')
    .argument('[scenario]')
    .action((name: string | undefined, options: Options, command: Command) => {
      const all = withScenario(name, withRoot(options, command));
      choose(async () => (await import('./commands/trace.ts')).trace(all, out));
    });
  program
    .command('vectors')
    .argument('<dir>')
    .action((dir: string, options: Options, command: Command) => {
      withRoot(options, command);
      choose(async () => (await import('./commands/vectors.ts')).vectors(dir, out));
    });
  for (const command of [program, ...program.commands]) addOptions(command);
  return program;
}

function addOptions(command: Command): void {
  for (const { rows } of optionsOf(command.name() as CommandName)) {
    for (const { flags, parse, list } of rows) {
      const option = new Option(flags);
      if (list) {
        option.argParser((text: string, before: unknown[] | undefined) => [
          ...(before ?? []),
          parse ? parse(text) : text,
        ]);
      } else if (parse) {
        option.argParser(parse);
      }
      command.addOption(option);
    }
  }
}

/** The scenario may stand alone or behind --scenario. */
function withScenario(name: string | undefined, options: Options): Options {
  if (name === undefined) return options;
  if (options.scenario !== undefined && options.scenario !== name) {
    throw new UsageError(`two scenarios, ${quoted(name)} and ${quoted(options.scenario)}: must be one`);
  }
  return { ...options, scenario: name };
}

/** Options that stand before the name of a command go to the command if it knows them. */
function withRoot(options: Options, command: Command): Options {
  const root = command.parent!;
  const before: Record<string, unknown> = {};
  for (const option of root.options) {
    const key = option.attributeName();
    if (root.getOptionValueSource(key) !== 'cli') continue;
    if (!command.options.some((known) => known.attributeName() === key)) {
      throw new UsageError(`${option.long}: does not go with '${command.name()}'`);
    }
    before[key] = root.getOptionValue(key);
  }
  return { ...before, ...options };
}

/** `error: unknown option '--sed'\n(Did you mean --seed?)` becomes `unknown option '--sed'; did you mean --seed?` */
function oneLine(message: string): string {
  return message.replace(/^error: /, '').replace(/\n\(Did you mean (.*)\)$/s, '; did you mean $1');
}
