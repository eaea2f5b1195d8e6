/**
 * What a CPU of a kernel executes, as a stack of frames. A frame is plain data: what runs, its argument, and how much of its
 * time is left while something else runs on top of it.
 */
import type { Changing, Watcher } from '../../core/bits.ts';
import type { Ns } from '../../core/clock.ts';

export const IDLE = 0;
export const SWITCH = 1; // to a thread
export const THREAD = 2;
export const UPCALL = 3; // looking for events
export const EXIT = 4; // irq_exit
export const HANDLER = 5; // of an irq: its n-th action
export const SOFTIRQ = 6;
export const POLLING = 7; // a thread that spins on a lock's event
export const EXCEPTION = 8; // a machine check's handler; its argument: interrupts were on

export interface Frame {
  kind: number;
  /** thread, irq or softirq */
  arg: number;
  /** HANDLER: which action; SWITCH: time left of the thread's step; THREAD: OVER or MORE */
  nth: number;
  left: Ns;
}

export type SavedFrames = readonly (readonly [kind: number, arg: number, nth: number, left: Ns])[];

export class FrameStack implements Changing {
  /** of who is above the idle loop */
  watcher: Watcher | undefined = undefined;
  /** from the bottom, which is the idle loop */
  protected frames: Frame[] = [{ kind: IDLE, arg: 0, nth: 0, left: 0 }];
  /** frames to be used again */
  private readonly spare: Frame[] = [];

  protected get top(): Frame {
    return this.frames[this.frames.length - 1]!;
  }

  /** Is a frame of this kind on the stack? */
  protected has(kind: number): boolean {
    for (let i = this.frames.length - 1; i > 0; i--) if (this.frames[i]!.kind === kind) return true;
    return false;
  }

  protected pop(): void {
    this.spare.push(this.frames.pop()!);
    if (this.frames.length === 1) this.watcher?.changed();
  }

  protected push(kind: number, arg: number): void {
    if (this.frames.length === 1) this.watcher?.changed();
    const frame = this.spare.pop();
    if (!frame) {
      this.frames.push({ kind, arg, nth: 0, left: 0 });
      return;
    }
    frame.kind = kind;
    frame.arg = arg;
    frame.nth = 0;
    frame.left = 0;
    this.frames.push(frame);
  }

  protected saveFrames(): SavedFrames {
    return this.frames.map((f) => [f.kind, f.arg, f.nth, f.left]);
  }

  protected restoreFrames(saved: SavedFrames): void {
    this.frames = saved.map(([kind, arg, nth, left]) => ({ kind, arg, nth, left }));
  }
}
