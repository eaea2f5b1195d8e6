/**
 * The queue of things to come, ordered by (when, priority, seq).
 *
 * A 4-ary heap in flat arrays. An entry is a task, made once and queued at most once at a time; the heap
 * remembers where each task sits, so cancelling and moving one costs O(log n) and allocates nothing.
 * While a task runs its place at the top stays open: a task that queues its successor at once (every
 * periodic device) fills that hole and the heap is sifted one time instead of two.
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

export class EventQueue {
  /** heap position -> task, its time, and priority * SEQ_LIMIT + seq */
  private ids = new Int32Array(64);
  private whens = new Float64Array(64);
  private orders = new Float64Array(64);
  /** task -> heap position, -1 when not queued */
  private pos = new Int32Array(64).fill(-1);
  private count = 0;
  private tasks = 0;
  private hole = false;
  private seq = 0;

  /** Number of queued entries. */
  get size(): number {
    return this.count - (this.hole ? 1 : 0);
  }

  /** Makes a task; the answer is its dense id. */
  addTask(): number {
    const id = this.tasks++;
    if (id >= this.pos.length) {
      const grown = new Int32Array(this.pos.length * 2).fill(-1);
      grown.set(this.pos);
      this.pos = grown;
    }
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

  /** Queues the task, or moves it if it is queued already (it then counts as queued anew). */
  schedule(task: number, when: number, priority: Priority): void {
    const order = priority * SEQ_LIMIT + this.seq++;
    if (this.pos[task]! >= 0) {
      this.closeHole();
      const at = this.pos[task]!;
      const later = when > this.whens[at]! || (when === this.whens[at] && order > this.orders[at]!);
      if (later) this.siftDown(at, task, when, order);
      else this.siftUp(at, task, when, order);
      return;
    }
    if (this.hole) {
      this.hole = false;
      this.siftDown(0, task, when, order);
      return;
    }
    if (this.count === this.ids.length) this.grow();
    this.siftUp(this.count++, task, when, order);
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
    return this.count === 0 ? Infinity : this.whens[0]!;
  }

  /** Takes the earliest task off the queue; -1 when there is none. Its place stays open until the next call. */
  pop(): number {
    this.closeHole();
    if (this.count === 0) return -1;
    const task = this.ids[0]!;
    this.pos[task] = -1;
    this.hole = true;
    return task;
  }

  /** Every queued (task, when, priority) in the order they would run. */
  entries(): { task: number; when: number; priority: Priority }[] {
    this.closeHole();
    const order = Array.from({ length: this.count }, (_, i) => i).sort(
      (a, b) => this.whens[a]! - this.whens[b]! || this.orders[a]! - this.orders[b]!,
    );
    return order.map((i) => ({
      task: this.ids[i]!,
      when: this.whens[i]!,
      priority: Math.floor(this.orders[i]! / SEQ_LIMIT) as Priority,
    }));
  }

  clear(): void {
    this.pos.fill(-1);
    this.count = 0;
    this.hole = false;
    this.seq = 0;
  }

  private closeHole(): void {
    if (!this.hole) return;
    this.hole = false;
    this.removeAt(0);
  }

  private removeAt(at: number): void {
    const last = --this.count;
    if (at === last) return;
    const task = this.ids[last]!;
    const when = this.whens[last]!;
    const order = this.orders[last]!;
    const parent = (at - 1) >> 2;
    if (at > 0 && this.before(when, order, parent)) this.siftUp(at, task, when, order);
    else this.siftDown(at, task, when, order);
  }

  private before(when: number, order: number, at: number): boolean {
    const w = this.whens[at]!;
    return when < w || (when === w && order < this.orders[at]!);
  }

  private siftUp(from: number, task: number, when: number, order: number): void {
    const { ids, whens, orders, pos } = this;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 2;
      const w = whens[parent]!;
      if (w < when || (w === when && orders[parent]! < order)) break;
      const id = ids[parent]!;
      ids[at] = id;
      whens[at] = w;
      orders[at] = orders[parent]!;
      pos[id] = at;
      at = parent;
    }
    this.put(at, task, when, order);
  }

  private siftDown(from: number, task: number, when: number, order: number): void {
    const { ids, whens, orders, pos, count } = this;
    let at = from;
    for (;;) {
      let child = at * 4 + 1;
      if (child >= count) break;
      let w = whens[child]!;
      const end = Math.min(child + 4, count);
      for (let c = child + 1; c < end; c++) {
        const cw = whens[c]!;
        if (cw < w || (cw === w && orders[c]! < orders[child]!)) {
          child = c;
          w = cw;
        }
      }
      if (when < w || (when === w && order < orders[child]!)) break;
      const id = ids[child]!;
      ids[at] = id;
      whens[at] = w;
      orders[at] = orders[child]!;
      pos[id] = at;
      at = child;
    }
    this.put(at, task, when, order);
  }

  private put(at: number, task: number, when: number, order: number): void {
    this.ids[at] = task;
    this.whens[at] = when;
    this.orders[at] = order;
    this.pos[task] = at;
  }

  private grow(): void {
    const size = this.ids.length * 2;
    const ids = new Int32Array(size);
    const whens = new Float64Array(size);
    const orders = new Float64Array(size);
    ids.set(this.ids);
    whens.set(this.whens);
    orders.set(this.orders);
    this.ids = ids;
    this.whens = whens;
    this.orders = orders;
  }
}
