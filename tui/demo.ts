/**
 * A demo in the monitor: whom its script shows at which time, and what it says. What is done to the machine, and at
 * which pace, is the driver's; the caption is that of the time on the screen, wherever one has scrubbed to.
 */
import { captionText } from './components/caption.ts';
import type { Session, Size } from './session.ts';
import { subjectsOf } from './subject.ts';
import type { Row } from './table-model.ts';
import { TABLES, VIEWS, type ViewName } from './views.ts';

/** What is said and shown from a moment on. */
export interface Scene {
  /** simulated ns */
  readonly at: number;
  /** absent: what was said before */
  readonly caption?: string | undefined;
  readonly domain?: string | undefined;
  readonly view?: string | undefined;
  readonly row?: string | undefined;
}

export interface DemoScript {
  /** e.g. `nobody-cared, served` */
  readonly title: string;
  /** by time */
  readonly scenes: readonly Scene[];
  /** simulated ns at which it is over, and the machine pauses */
  readonly end: number;
  /** what comes next; undefined: nothing */
  readonly next?: { readonly name: string; begin(): void } | undefined;
}

export interface Caption {
  readonly title: string;
  readonly text: string;
  /** what the space bar does now */
  readonly hint: string;
  readonly height: number;
}

const MOST_LINES = 4;

export class Director {
  /** scenes that were shown */
  private shown = 0;
  /** it has come to its end, and waits */
  private stood = false;

  constructor(
    private readonly session: Session,
    private readonly script: DemoScript,
  ) {}

  /** Lines that captions take, the same for all of them. */
  heightAt({ columns, rows }: Size): number {
    const most = rows < 20 ? 2 : MOST_LINES;
    const lines = this.script.scenes.map(({ caption = '' }) => captionText(caption, columns).length);
    return Math.min(most, Math.max(1, ...lines)) + 1;
  }

  get caption(): Caption {
    const { script, session } = this;
    const { frame } = session;
    const { time } = frame.snapshot;
    const said = script.scenes.findLast((s) => s.at <= time && s.caption !== undefined)?.caption ?? '';
    const over = time >= script.end;
    const rest = script.next ? `space: ${script.next.name}` : 'over: space runs on';
    const hint = frame.state !== 'paused' ? '' : over ? rest : 'space goes on';
    return { title: script.title, text: said, hint, height: this.heightAt(session.terminal) };
  }

  /** There is a new frame: what its time has come to is shown. */
  follow(): void {
    const { script, session } = this;
    const { snapshot, state } = session.frame;
    const over = snapshot.time >= script.end;
    if (over && this.stood && state === 'running' && script.next) {
      script.next.begin();
      return;
    }
    this.stood = over && state === 'paused';
    const now = script.scenes.filter((s) => s.at <= snapshot.time).length;
    for (let n = this.shown; n < now; n++) this.show(script.scenes[n]!);
    this.shown = now;
  }

  private show({ domain, view, row }: Scene): void {
    const { session } = this;
    if (domain !== undefined && subjectsOf(session.frame.snapshot).some((s) => s.name === domain)) {
      session.update({ domain, vcpu: 0 });
    }
    const known = VIEWS.find((v) => v.name === view);
    if (known) session.update({ view: known.name as ViewName });
    const wanted = row === undefined ? undefined : this.rowOf(row);
    if (wanted) session.updateTable({ selected: wanted.key });
  }

  /** By its name in the first column, or by what a filter would find it by. */
  private rowOf(wanted: string): Row | undefined {
    const { table, tableName } = this.session;
    if (!table || tableName === undefined) return undefined;
    const { textOf } = TABLES[tableName];
    const byName = table.rows.find(({ key }) => key.endsWith(` ${wanted}`));
    return byName ?? table.rows.find((row) => textOf(row).includes(wanted));
  }
}
