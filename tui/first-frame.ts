/**
 * The first picture, written before Ink is there: the same lines at the same places, so that Ink's own first
 * frame changes nothing on the screen.
 */
import type { WriteStream } from 'node:tty';
import type { Watched } from './watched.ts';

const ENTER = '\x1b[?1049h\x1b[?25l';

/** Ink draws from where the cursor is, on a screen that is empty. */
export const makeRoom = '\x1b[H\x1b[2J';

/** Gives the screen back where Ink never came to own it. */
export const leaveFirstFrame = '\x1b[?1049l\x1b[?25h';

export function firstFrame(watched: Watched): string {
  return ENTER + makeRoom + watched.lines().join('\r\n');
}

/**
 * The terminal for Ink: its first frame takes the place of ours in one write, so that nothing flickers. Of a new size
 * it is not told: it would draw the old picture once more, wrapped, and count its lines wrong from then on.
 */
export function overFirstFrame(stdout: WriteStream): WriteStream {
  let over = false;
  const write = (chunk: string | Uint8Array, ...rest: []) => {
    // the switches that Ink sends before are a few bytes each
    if (over || chunk.length < 64) return stdout.write(chunk, ...rest);
    over = true;
    return stdout.write(makeRoom + chunk, ...rest);
  };
  const on = (event: string, listener: () => void) =>
    event === 'resize' ? stdout : stdout.on(event, listener);
  return new Proxy(stdout, {
    get(target, key) {
      if (key === 'write') return write;
      if (key === 'on') return on;
      const value = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
