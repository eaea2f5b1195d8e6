/**
 * One who watches, as a session of the monitor and one of a comparison are: a state that is replaced, told to who draws it,
 * and the paint of the theme chosen.
 */
import { duration, speed } from './format.ts';
import type { Glyphs } from './glyphs.ts';
import { Published } from './published.ts';
import { type Depth, type Paint, painter, THEMES, themeNamed } from './theme.ts';
import type { Store } from './use-snapshot.ts';
import { type Size, SMALLEST, type Watched } from './watched.ts';

export interface WatcherOptions {
  readonly theme: string;
  readonly depth: Depth;
  readonly glyphs: Glyphs;
  readonly size: Size;
  /** the watcher leaves */
  readonly quit: () => void;
  /** Ctrl-Z */
  readonly suspend: () => void;
}

/** What is watched, at which pace. */
interface PacedFrame {
  readonly speed: number;
  /** seconds between frames */
  readonly delay: number;
}

interface Paced<F> extends Store<F> {
  faster(direction: 1 | -1): void;
  slower(direction: 1 | -1): void;
}

export interface WatcherUi {
  readonly theme: string;
  /** what the last key has to say, until the next one */
  readonly notice: string;
}

export interface WatcherState<F, U> {
  readonly frame: F;
  readonly ui: U;
  /** what there is to draw on */
  readonly size: Size;
}

export abstract class Watcher<F extends PacedFrame, U extends WatcherUi>
  implements Watched<WatcherState<F, U>>
{
  readonly glyphs: Glyphs;
  protected readonly store: Published<WatcherState<F, U>>;
  private readonly depth: Depth;
  private readonly unsubscribe: () => void;
  private paintOf: { theme: string; paint: Paint } | undefined;

  constructor(
    private readonly paced: Paced<F>,
    { glyphs, depth, size }: WatcherOptions,
    ui: U,
  ) {
    this.glyphs = glyphs;
    this.depth = depth;
    this.store = new Published({ frame: paced.get(), ui, size });
    this.unsubscribe = paced.subscribe(() => this.show(paced.get()));
  }

  /** For `useSyncExternalStore`: the same object until something changed. */
  readonly get = (): WatcherState<F, U> => this.store.get();

  readonly subscribe = (listener: () => void): (() => void) => this.store.subscribe(listener);

  abstract lines(): string[];

  close(): void {
    this.unsubscribe();
    this.store.close();
  }

  get frame(): F {
    return this.store.get().frame;
  }

  get ui(): U {
    return this.store.get().ui;
  }

  get size(): Size {
    return this.store.get().size;
  }

  get terminal(): Size {
    return this.size;
  }

  get tooSmall(): boolean {
    const { columns, rows } = this.terminal;
    return columns < SMALLEST.columns || rows < SMALLEST.rows;
  }

  get paint(): Paint {
    const { theme } = this.ui;
    if (this.paintOf?.theme !== theme) {
      const found = themeNamed(theme) ?? THEMES[0]!;
      this.paintOf = { theme, paint: painter(found, this.depth) };
    }
    return this.paintOf.paint;
  }

  update(ui: Partial<U>): void {
    this.set({ ui: { ...this.ui, ...ui } });
  }

  resize(size: Size): void {
    this.set({ size });
  }

  nextTheme(): void {
    const at = THEMES.findIndex((t) => t.name === this.ui.theme);
    const { name, about } = THEMES[(at + 1) % THEMES.length]!;
    this.set({ ui: { ...this.ui, theme: name, notice: `theme ${name}: ${about}` } });
  }

  /** One step up or down the list of speeds. */
  changeSpeed(direction: 1 | -1): void {
    this.paced.faster(direction);
    this.say(`speed ${speed(this.paced.get().speed)}`);
  }

  /** One step up or down the list of delays. */
  redraw(direction: 1 | -1): void {
    this.paced.slower(direction);
    this.say(`a frame every ${duration(this.paced.get().delay * 1e9)}`);
  }

  protected show(frame: F): void {
    this.set({ frame });
  }

  protected set(change: Partial<WatcherState<F, U>>): void {
    this.store.set({ ...this.store.get(), ...change });
  }

  private say(notice: string): void {
    this.set({ ui: { ...this.ui, notice } });
  }
}
