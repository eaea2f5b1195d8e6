/**
 * One watcher's view of the running machine: which domain, which rows, which theme, what is being typed.
 * The driver runs the machine for everybody; a session belongs to one terminal. React draws what it says.
 */
import type { DomainSnapshot } from '../engine/index.ts';
import { ACTIONS } from './actions.ts';
import type { Driver } from './driver.ts';
import type { Frame } from './frame.ts';
import type { Glyphs } from './glyphs.ts';
import { type InterruptsModel, interruptsModel } from './interrupts-model.ts';
import { bindingOf } from './keymap.ts';
import { isText } from './keys.ts';
import type { Sort } from './table-model.ts';
import { type Depth, type Paint, painter, THEMES } from './theme.ts';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** Below this there is only a line saying so. */
export const SMALLEST: Size = { columns: 60, rows: 15 };

/** Something is being typed. */
export interface Prompt {
  readonly kind: 'filter' | 'delay';
  readonly text: string;
}

export interface Ui {
  readonly domain: string;
  /** key of the selected row; null: the first */
  readonly selected: string | null;
  readonly sort: Sort;
  readonly filter: string;
  readonly totals: boolean;
  readonly hideIdle: boolean;
  readonly theme: string;
  readonly overlay: 'help' | null;
  /** first line of the help on the screen */
  readonly helpTop: number;
  readonly prompt: Prompt | null;
  /** what the last key has to say, until the next one */
  readonly notice: string;
}

export interface SessionState {
  readonly frame: Frame;
  readonly ui: Ui;
  readonly size: Size;
}

export interface SessionOptions {
  readonly domain: string;
  readonly theme: string;
  readonly depth: Depth;
  readonly glyphs: Glyphs;
  readonly size: Size;
  /** idle rows are hidden from the start */
  readonly hideIdle?: boolean | undefined;
  /** the monitor ends */
  readonly quit: () => void;
  /** Ctrl-Z */
  readonly suspend: () => void;
}

export class Session {
  readonly glyphs: Glyphs;
  private state: SessionState;
  private paintOf: { theme: string; paint: Paint } | undefined;
  private model: { state: SessionState; value: InterruptsModel } | undefined;
  private scroll = { top: 0, selected: 0 };
  private readonly listeners = new Set<() => void>();
  private readonly unsubscribe: () => void;
  private held = false;

  constructor(
    readonly driver: Driver,
    readonly options: SessionOptions,
  ) {
    this.glyphs = options.glyphs;
    this.state = {
      frame: driver.get(),
      size: options.size,
      ui: {
        domain: options.domain,
        selected: null,
        sort: { column: 'irq', reverse: false },
        filter: '',
        totals: false,
        hideIdle: options.hideIdle ?? false,
        theme: options.theme,
        overlay: null,
        helpTop: 0,
        prompt: null,
        notice: '',
      },
    };
    this.unsubscribe = driver.subscribe(() => this.set({ frame: driver.get() }));
  }

  /** For `useSyncExternalStore`: the same object until something changed. */
  readonly get = (): SessionState => this.state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  close(): void {
    this.unsubscribe();
    this.listeners.clear();
  }

  get ui(): Ui {
    return this.state.ui;
  }

  get frame(): Frame {
    return this.state.frame;
  }

  get size(): Size {
    return this.state.size;
  }

  get tooSmall(): boolean {
    const { columns, rows } = this.state.size;
    return columns < SMALLEST.columns || rows < SMALLEST.rows;
  }

  get paint(): Paint {
    const { theme } = this.state.ui;
    if (this.paintOf?.theme !== theme) {
      const found = THEMES.find((t) => t.name === theme) ?? THEMES[0]!;
      this.paintOf = { theme, paint: painter(found, this.options.depth) };
    }
    return this.paintOf.paint;
  }

  /** The domain on the screen; if it is gone, the first. */
  get domain(): DomainSnapshot {
    const { domains } = this.frame.snapshot;
    return domains.find((d) => d.name === this.ui.domain) ?? domains[0]!;
  }

  /** What the table shows, worked out once per state. */
  get table(): InterruptsModel {
    if (this.model?.state !== this.state) {
      const value = interruptsModel(this.state, this.domain, this.scroll, this.glyphs.ascii);
      this.model = { state: this.state, value };
      this.scroll = { top: value.top, selected: value.selected };
    }
    return this.model.value;
  }

  update(ui: Partial<Ui>): void {
    this.set({ ui: { ...this.state.ui, ...ui } });
  }

  resize(size: Size): void {
    this.set({ size });
  }

  /** Selects the row so many rows away. */
  move(by: number): void {
    const { rows, selected } = this.table;
    if (rows.length === 0) return;
    const index = Math.max(0, Math.min(rows.length - 1, selected + by));
    this.update({ selected: rows[index]!.key });
  }

  /** A key was pressed. */
  press(key: string): void {
    this.held = true;
    const before = this.state;
    try {
      if (this.ui.notice !== '') this.update({ notice: '' });
      if (this.ui.prompt && key !== 'ctrl-c' && key !== 'ctrl-z') this.type(this.ui.prompt, key);
      else this.act(key);
    } finally {
      this.held = false;
      if (this.state !== before) this.emit();
    }
  }

  private act(key: string): void {
    const binding = bindingOf(key);
    if (binding) ACTIONS[binding.action](this, key);
  }

  private type(prompt: Prompt, key: string): void {
    if (key === 'enter') {
      this.update({ prompt: null });
      if (prompt.kind === 'delay') this.setDelay(prompt.text);
    } else if (key === 'esc') {
      this.update(prompt.kind === 'filter' ? { prompt: null, filter: '' } : { prompt: null });
    } else if (key === 'backspace') {
      this.edit(prompt, [...prompt.text].slice(0, -1).join(''));
    } else if (key === 'ctrl-u') {
      this.edit(prompt, '');
    } else if (isText(key)) {
      this.edit(prompt, prompt.text + (key === 'space' ? ' ' : key));
    }
  }

  private edit(prompt: Prompt, text: string): void {
    const next = { ...prompt, text: text.slice(0, 200) };
    this.update(prompt.kind === 'filter' ? { prompt: next, filter: next.text } : { prompt: next });
  }

  private setDelay(text: string): void {
    const seconds = Number(text);
    if (text.trim() === '') return;
    if (seconds >= 0.05 && seconds <= 3600) this.driver.setDelay(seconds);
    else this.update({ notice: 'the delay is a number of seconds from 0.05 to 3600' });
  }

  private set(change: Partial<SessionState>): void {
    this.state = { ...this.state, ...change };
    if (!this.held) this.emit();
  }

  private emit(): void {
    for (const listener of [...this.listeners]) listener();
  }
}
