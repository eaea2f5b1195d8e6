/** The process's terminal, from the first picture on it until it is given back as it was. */
import { Turns } from './gate.ts';
import { Terminal } from './terminal.ts';
import { sizeOf, Viewer } from './viewer.ts';
import type { Size, Watched } from './watched.ts';

export interface Outcome {
  /** the exit code */
  readonly code: number;
  readonly error?: Error | undefined;
}

/** What whoever is shown may ask of the terminal. */
export interface Stage {
  readonly size: Size;
  /** It is over; the first to say so is heard. */
  end(code: number, error?: Error): void;
  /** To the shell for a while. */
  suspend(): void;
}

/** Who is shown, and who runs. */
export interface Play {
  readonly session: Watched & { press(key: string): void };
  readonly driver: {
    run(): void;
    /** Stops time; the answer lets it go on. */
    suspend(): () => void;
  };
}

export async function onTerminal(cast: (stage: Stage) => Play): Promise<Outcome> {
  const { stdin, stdout } = process;
  let finish!: (outcome: Outcome) => void;
  const finished = new Promise<Outcome>((resolve) => {
    finish = resolve;
  });
  const end = (code: number, error?: Error) => finish({ code, error });

  const { session, driver } = cast({ size: sizeOf(stdout), end, suspend: () => void terminal.suspend() });
  const viewer = new Viewer(session, stdout, {
    turns: new Turns(),
    ended: (error) => end(error ? 1 : 0, error),
  });
  const terminal = new Terminal(stdin, stdout, {
    key: (key) => session.press(key),
    end,
    resize: () => viewer.resize(),
    async leave() {
      const goOn = driver.suspend();
      const comeBack = await viewer.leave();
      return async () => {
        await comeBack();
        goOn();
      };
    },
  });
  terminal.start();
  driver.run();
  viewer.showFirst();
  let outcome: Outcome;
  try {
    await viewer.open();
    outcome = await finished;
  } catch (error) {
    outcome = { code: 1, error: error as Error };
  }
  driver.suspend();
  terminal.stop();
  await viewer.close();
  return outcome;
}
