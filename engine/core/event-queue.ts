/**
 * The queue of things to come, ordered by (when, priority, seq).
 *
 * A 4-ary heap in flat arrays. An entry is a task, made once and queued at most once at a time; the heap
 * remembers where each task sits, so cancelling and moving one costs O(log n) and allocates nothing.
 * While a task runs its place at the top stays open: a task that queues its successor at once (every
 * periodic device) fills that hole and the heap is sifted one time instead of two.
 *
 * The heap is ordered by time alone as long as no two entries at its top are of one instant. When they are,
 * all entries of that instant are put in order at once, and sifting heeds the full order until the instant
 * is over. So the common sift compares bare times, and without branches: which of four children is earliest
 * is a coin toss that a processor cannot predict.
 */

/** Who goes first among events of one instant; a lower number runs earlier. */
export const Priority = {
  /** commands of the user, applied between two events */
  command: 0,
  /** wires and buses: interrupt messages on their way */
  hardware: 1,
  /** the hypervisor's own timers and softirqs */
  hypervisor: 2,
  /** the running virtual CPU */
  guest: 3,
  /** workloads outside the machine: users, network, disks */
  outside: 4,
} as const;

export type Priority = (typeof Priority)[keyof typeof Priority];

/** Sequence numbers below this share a double with the priority exactly. */
const SEQ_LIMIT = 2 ** 48;

/** Free places after the last entry, all of time Infinity: four children can be read wherever one exists. */
const PAD = 4;

export class EventQueue {
  /** time of the entry popped last */
  when = 0;
  /** heap position -> time; Infinity beyond the last entry */
  private whens = new Float64Array(64 + PAD).fill(Infinity);
  /** heap position -> task */
  private ids = new Int32Array(64 + PAD);
  /** task -> heap position, -1 when not queued */
  private pos = new Int32Array(64).fill(-1);
  /** task -> priority * SEQ_LIMIT + seq, from when it was queued last */
  private orders = new Float64Array(64);
  private count = 0;
  private tasks = 0;
  private seq = 0;
  /** the top entry was popped and nothing has taken its place */
  private hole = false;
  /** entries of time `instant` are in full order */
  private settled = false;
  private instant = 0;

  /** Number of queued entries. */
  get size(): number {
    return this.count - (this.hole ? 1 : 0);
  }

  /** Makes a task; the answer is its dense id. */
  addTask(): number {
    const id = this.tasks++;
    if (id === this.pos.length) this.grow();
    return id;
  }

  isQueued(task: number): boolean {
    return this.pos[task]! >= 0;
  }

  /** When the task is due; undefined while it is not queued. */
  whenOf(task: number): number | undefined {
    const at = this.pos[task]!;
    return at < 0 ? undefined : this.whens[at];
  }

  /**
   * Queues the task, or moves it if it is queued already (it then counts as queued anew).
   * @throws Error if the time is not a finite number
   */
  schedule(task: number, when: number, priority: Priority): void {
    if (!(when < Infinity)) throw new Error(`an event cannot be due at ${when}`);
    const queued = this.pos[task]! >= 0;
    if (queued) this.closeHole(); // by the order that the task still has
    this.orders[task] = priority * SEQ_LIMIT + this.seq++;
    if (queued) {
      this.place(this.pos[task]!, task, when);
    } else if (this.hole) {
      this.hole = false;
      this.siftDown(0, task, when);
    } else {
      this.siftUp(this.count++, task, when);
    }
  }

  cancel(task: number): void {
    if (this.pos[task]! < 0) return;
    this.closeHole();
    const at = this.pos[task]!;
    this.pos[task] = -1;
    this.removeAt(at);
  }

  /** Time of the earliest entry; Infinity when there is none. */
  nextWhen(): number {
    this.closeHole();
    return this.whens[0]!;
  }

  /**
   * Takes the earliest task off the queue if it is due by `until`, and leaves its time in `when`; -1 when
   * there is none. Its place stays open until the next call.
   */
  pop(until = Infinity): number {
    if (this.hole) this.closeHole();
    if (this.count === 0) return -1;
    const { whens } = this;
    const when = whens[0]!;
    if (when > until) return -1;
    if (!this.settled || when !== this.instant) {
      this.settled = false;
      if (whens[1] === when || whens[2] === when || whens[3] === when || whens[4] === when) this.settle(when);
    }
    const task = this.ids[0]!;
    this.when = when;
    this.pos[task] = -1;
    this.hole = true;
    return task;
  }

  /** Every queued (task, when, priority) in the order they would run. */
  entries(): { task: number; when: number; priority: Priority }[] {
    this.closeHole();
    return Array.from(this.ids.subarray(0, this.count))
      .map((task) => ({ task, when: this.whens[this.pos[task]!]!, order: this.orders[task]! }))
      .sort((a, b) => a.when - b.when || a.order - b.order)
      .map(({ task, when, order }) => ({ task, when, priority: Math.floor(order / SEQ_LIMIT) as Priority }));
  }

  clear(): void {
    this.pos.fill(-1);
    this.whens.fill(Infinity);
    this.count = 0;
    this.hole = false;
    this.settled = false;
    this.seq = 0;
  }

  /** Puts the entries of the instant at the top, one connected piece of the heap, in full order. */
  private settle(instant: number): void {
    const { whens, ids, pos, orders } = this;
    const places = [0];
    for (const at of places) {
      for (let child = at * 4 + 1; child <= at * 4 + 4; child++) {
        if (whens[child] === instant) places.push(child);
      }
    }
    // places ascend, so a parent comes before its children
    const tasks = places.map((at) => ids[at]!).sort((a, b) => orders[a]! - orders[b]!);
    places.forEach((at, i) => {
      ids[at] = tasks[i]!;
      pos[tasks[i]!] = at;
    });
    this.settled = true;
    this.instant = instant;
  }

  private closeHole(): void {
    if (!this.hole) return;
    this.hole = false;
    this.removeAt(0);
  }

  /** Fills the place with the last entry of the heap. */
  private removeAt(at: number): void {
    const last = --this.count;
    const task = this.ids[last]!;
    const when = this.whens[last]!;
    this.whens[last] = Infinity;
    if (at !== last) this.place(at, task, when);
  }

  /** Puts an entry in a place whose old one is void, and from there where it belongs. */
  private place(at: number, task: number, when: number): void {
    if (at > 0 && this.before(task, when, (at - 1) >> 2)) this.siftUp(at, task, when);
    else this.siftDown(at, task, when);
  }

  private before(task: number, when: number, at: number): boolean {
    const w = this.whens[at]!;
    return when < w || (when === w && this.orders[task]! < this.orders[this.ids[at]!]!);
  }

  private siftUp(from: number, task: number, when: number): void {
    const { ids, whens, pos } = this;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 2;
      if (!this.before(task, when, parent)) break;
      const id = ids[parent]!;
      ids[at] = id;
      whens[at] = whens[parent]!;
      pos[id] = at;
      at = parent;
    }
    ids[at] = task;
    whens[at] = when;
    pos[task] = at;
  }

  private siftDown(from: number, task: number, when: number): void {
    if (this.settled) {
      this.siftDownInOrder(from, task, when);
      return;
    }
    const { ids, whens, pos, count } = this;
    let at = from;
    for (;;) {
      const child = (at << 2) + 1;
      if (child >= count) break;
      // the earliest of four by two rounds; comparisons become numbers, not jumps
      const left = child + Number(whens[child + 1]! < whens[child]!);
      const right = child + 2 + Number(whens[child + 3]! < whens[child + 2]!);
      const first = left + Number(whens[right]! < whens[left]!) * (right - left);
      const w = whens[first]!;
      if (when <= w) break;
      const id = ids[first]!;
      ids[at] = id;
      whens[at] = w;
      pos[id] = at;
      at = first;
    }
    ids[at] = task;
    whens[at] = when;
    pos[task] = at;
  }

  /** The same, heeding priority and sequence among entries of one time. */
  private siftDownInOrder(from: number, task: number, when: number): void {
    const { ids, whens, pos, count } = this;
    let at = from;
    for (;;) {
      let first = at * 4 + 1;
      if (first >= count) break;
      const end = Math.min(first + 4, count);
      for (let child = first + 1; child < end; child++) {
        if (this.before(ids[child]!, whens[child]!, first)) first = child;
      }
      if (this.before(task, when, first)) break;
      const id = ids[first]!;
      ids[at] = id;
      whens[at] = whens[first]!;
      pos[id] = at;
      at = first;
    }
    ids[at] = task;
    whens[at] = when;
    pos[task] = at;
  }

  /** Room for twice as many tasks; the heap never holds more entries than there are tasks. */
  private grow(): void {
    const size = this.pos.length * 2;
    const { whens, ids, pos, orders } = this;
    this.whens = new Float64Array(size + PAD).fill(Infinity);
    this.whens.set(whens);
    this.ids = new Int32Array(size + PAD);
    this.ids.set(ids);
    this.pos = new Int32Array(size).fill(-1);
    this.pos.set(pos);
    this.orders = new Float64Array(size);
    this.orders.set(orders);
  }
}
