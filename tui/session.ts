/**
 * One watcher's view of the running machine: which domain, which rows, which theme, what is being typed.
 * The driver runs the machine for everybody; a session belongs to one terminal. React draws what it says.
 */
import type { Command } from '../engine/index.ts';
import { ACTIONS } from './actions.ts';
import { setAffinity, setRate } from './commands.ts';
import { type DemoScript, Director } from './demo.ts';
import type { Driver } from './driver.ts';
import { showDump } from './dump.ts';
import { domainShown, EventLog } from './event-log.ts';
import type { Frame } from './frame.ts';
import type { Span } from './history.ts';
import { bindingOf, isShared, WATCHES } from './keymap.ts';
import { isText } from './keys.ts';
import type { Overlay } from './overlay.ts';
import { FIRST_PATH, moveHop, type PathUi } from './path.ts';
import { type Preferences, tablesOf } from './preferences.ts';
import { screenLines } from './screen.ts';
import { isDelay, LONGEST_DELAY, SHORTEST_DELAY } from './speeds.ts';
import { processorsOf, type Subject, subjectsOf } from './subject.ts';
import { type TableModel, type TableState, tableModel } from './table-model.ts';
import { TABLES, type TableName, VIEWS, type View, type ViewName } from './views.ts';
import type { Size } from './watched.ts';
import { Watcher, type WatcherOptions, type WatcherState, type WatcherUi } from './watcher.ts';

/** Something is being typed. */
export interface Prompt {
  readonly kind: 'filter' | 'delay' | 'dump' | 'affinity' | 'rate';
  readonly text: string;
  /** of an affinity: the row */
  readonly domain?: string;
  readonly irq?: number;
  /** of a rate: the workload, or the device that is to storm */
  readonly source?: string;
}

export type { Size } from './watched.ts';

export interface Ui extends WatcherUi {
  readonly domain: string;
  /** the view asked for; where the domain lacks it, the first is shown */
  readonly view: ViewName;
  readonly tables: Readonly<Record<TableName, TableState>>;
  /** Events of Xen on x86 are those of the interrupt hook */
  readonly hookLog: boolean;
  /** what the path view follows */
  readonly path: PathUi;
  /** index of the processor that the pending view shows in full */
  readonly vcpu: number;
  readonly totals: boolean;
  /** the table of interrupts has a row for each CPU */
  readonly transposed: boolean;
  /** what sparklines cover */
  readonly span: Span;
  readonly hideIdle: boolean;
  readonly overlay: Overlay | null;
  /** first line of it on the screen */
  readonly overlayTop: number;
  readonly prompt: Prompt | null;
  /** what was fired or raised from here last */
  readonly raised: Command | null;
}

export type SessionState = WatcherState<Frame, Ui>;

export interface SessionOptions extends WatcherOptions {
  readonly domain: string;
  /** idle rows are hidden from the start */
  readonly hideIdle?: boolean | undefined;
  readonly demo?: DemoScript | undefined;
  /** of the configuration file, for what is not said here */
  readonly preferences?: Preferences | undefined;
  /** said until the first key */
  readonly notice?: string | undefined;
  /** writes the configuration file; absent where there is none */
  readonly save?: (() => Promise<void>) | undefined;
  readonly configFile?: string | undefined;
  /** looks, and does nothing to the machine */
  readonly watches?: boolean | undefined;
}

export class Session extends Watcher<Frame, Ui> {
  readonly log: EventLog;
  /** whose script goes on; undefined: nobody's */
  readonly director: Director | undefined;
  private whole: Size;
  private model: { state: SessionState; value: TableModel } | undefined;
  private readonly scrolls: Partial<Record<TableName, { top: number; selected: number }>> = {};

  constructor(
    readonly driver: Driver,
    readonly options: SessionOptions,
  ) {
    super(driver, options, firstUi(options));
    this.log = new EventLog(driver);
    this.whole = options.size;
    this.director = options.demo && new Director(this, options.demo);
    this.resize(options.size);
    this.director?.follow();
  }

  /** All of the screen; what a demo says takes some of it. */
  override get terminal(): Size {
    return this.whole;
  }

  /** Who is on the screen: a domain, or Xen; if it is gone, the first. */
  get subject(): Subject {
    const subjects = subjectsOf(this.frame.snapshot);
    return subjects.find((s) => s.name === this.ui.domain) ?? subjects[0]!;
  }

  get view(): View {
    const wanted = VIEWS.find((v) => v.name === this.ui.view)!;
    return wanted.has(this.subject, this.frame.snapshot) ? wanted : VIEWS[0]!;
  }

  /** Which table is shown; undefined in a view that is none. */
  get tableName(): TableName | undefined {
    return this.view.table?.(this.subject, this.ui);
  }

  /** What the table shows, worked out once per state; undefined where there is none. */
  get table(): TableModel | undefined {
    const name = this.tableName;
    if (name === undefined) return undefined;
    const state = this.get();
    if (this.model?.state !== state) {
      const table = this.ui.tables[name];
      const scroll = this.scrolls[name] ?? { top: 0, selected: 0 };
      const value = tableModel(TABLES[name], table, state, this.subject, scroll, this.glyphs, () =>
        this.lookAtLog(table),
      );
      this.model = { state, value };
      this.scrolls[name] = { top: value.top, selected: value.selected };
    }
    return this.model.value;
  }

  private lookAtLog({ selected, filter }: TableState) {
    const domain = domainShown(this.subject, this.frame.snapshot);
    return this.log.look({ domain, filter, selected, ascii: this.glyphs.ascii });
  }

  /** The newest row of the table shown stays in sight. */
  get following(): boolean {
    return this.tableState?.selected === null;
  }

  /** What the user did to the table shown. */
  get tableState(): TableState | undefined {
    const name = this.tableName;
    return name && this.ui.tables[name];
  }

  /** Changes how the table shown stands; nothing where there is none. */
  updateTable(table: Partial<TableState>): void {
    const name = this.tableName;
    if (name === undefined) return;
    const { tables } = this.ui;
    this.update({ tables: { ...tables, [name]: { ...tables[name], ...table } } });
  }

  lines(): string[] {
    return screenLines(this);
  }

  /** What a demo leaves of the terminal is drawn on. */
  override resize(terminal: Size): void {
    this.whole = terminal;
    super.resize({ ...terminal, rows: terminal.rows - (this.director?.heightAt(terminal) ?? 0) });
  }

  protected override show(frame: Frame): void {
    this.store.atOnce(() => {
      super.show(frame);
      this.director?.follow();
    });
  }

  /** Selects the row, the virtual CPU or the hop so many away. */
  move(by: number): void {
    const { table } = this;
    if (table) {
      const index = within(table.selected + by, table.rows.length);
      const newest = TABLES[this.tableName!].follows && index === table.rows.length - 1;
      if (newest) this.updateTable({ selected: null });
      else if (table.rows.length > 0) this.updateTable({ selected: table.rows[index]!.key });
    } else if (this.view.name === 'path') {
      moveHop(this, by);
    } else {
      this.update({ vcpu: within(this.vcpu + by, processorsOf(this.subject)) });
    }
  }

  /** The processor that the pending view shows in full, by its index. */
  get vcpu(): number {
    return within(this.ui.vcpu, processorsOf(this.subject));
  }

  /** A key was pressed. */
  press(key: string): void {
    this.store.atOnce(() => {
      if (this.ui.notice !== '') this.update({ notice: '' });
      if (this.ui.prompt && key !== 'ctrl-c' && key !== 'ctrl-z') this.type(this.ui.prompt, key);
      else this.act(key);
    });
  }

  private act(key: string): void {
    const binding = bindingOf(key);
    if (!binding) return;
    // space chooses columns where these are listed
    const own = this.ui.overlay?.kind === 'columns' && binding.action === 'pause';
    if (this.options.watches && isShared(binding) && !own) this.update({ notice: WATCHES });
    else ACTIONS[binding.action](this, key);
  }

  private type(prompt: Prompt, key: string): void {
    if (prompt.kind === 'dump') {
      this.update({ prompt: null });
      if (key !== 'esc') showDump(this, key);
    } else if (key === 'enter') {
      this.update({ prompt: null });
      if (prompt.kind === 'delay') this.setDelay(prompt.text);
      else if (prompt.kind === 'affinity') setAffinity(this, prompt);
      else if (prompt.kind === 'rate') setRate(this, prompt);
    } else if (key === 'esc') {
      this.update({ prompt: null });
      if (prompt.kind === 'filter') this.updateTable({ filter: '' });
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
    this.update({ prompt: next });
    if (prompt.kind === 'filter') this.updateTable({ filter: next.text });
  }

  private setDelay(text: string): void {
    const seconds = Number(text);
    if (text.trim() === '') return;
    if (isDelay(seconds)) this.driver.setDelay(seconds);
    else
      this.update({ notice: `the delay is a number of seconds from ${SHORTEST_DELAY} to ${LONGEST_DELAY}` });
  }
}

function firstUi({ preferences = {}, domain, hideIdle, theme, notice = '' }: SessionOptions): Ui {
  return {
    domain,
    view: preferences.view ?? VIEWS[0]!.name,
    tables: tablesOf(preferences),
    hookLog: false,
    path: FIRST_PATH,
    vcpu: 0,
    totals: preferences.totals ?? false,
    transposed: preferences.transposed ?? false,
    span: preferences.span ?? 'short',
    hideIdle: hideIdle ?? preferences.hideIdle ?? false,
    theme,
    overlay: null,
    overlayTop: 0,
    prompt: null,
    raised: null,
    notice,
  };
}

function within(index: number, length: number): number {
  return Math.max(0, Math.min(length - 1, index));
}
