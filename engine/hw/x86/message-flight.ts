/**
 * The bus between the local APICs of physical processors: a message takes its time, and arrives in the name of the
 * raise that it was sent for.
 */
import type { Books } from '../../core/books.ts';
import type { Clock, Ns, Task } from '../../core/clock.ts';
import { Priority } from '../../core/event-queue.ts';
import type { Part, Plain } from '../../core/state.ts';
import { timing } from '../../timing.ts';
import { ApicBus } from './apic-bus.ts';
import type { LocalApic } from './lapic.ts';

/** When it arrives, for whom it was raised, and the message: source APIC or -1, then the arguments of `send`. */
type Flight = [when: Ns, raise: number, journey: number, source: number, ...message: number[]];

export class PhysicalApicBus extends ApicBus implements Part {
  readonly id = 'apic_bus';
  private flights: Flight[] = [];
  /** those that have arrived, to be used again */
  private readonly spare: Flight[] = [];
  private readonly arrival: Task;

  /** @param now the time of whoever sends */
  constructor(
    clock: Clock,
    private readonly books: Books,
    private readonly now: () => Ns,
  ) {
    super({ vectorHashing: false });
    this.arrival = clock.task('apic_bus.arrival', Priority.hardware, () => this.arrive());
  }

  /** Always 1: whether anybody takes it shows when it arrives. */
  override send(
    source: LocalApic | null,
    destination: number,
    logical: boolean,
    mode: number,
    vector: number,
    assert: boolean,
    level: boolean,
    shorthand: number,
    hint: boolean,
  ): number {
    const { books, flights } = this;
    const when = this.now() + (source ? timing.ipiFlight : timing.apicMessage);
    let at = flights.length;
    while (at > 0 && flights[at - 1]![0] > when) at--;
    const flight = this.spare.pop() ?? [0, 0, 0, 0];
    flight[0] = when;
    flight[1] = books.source;
    flight[2] = books.journey;
    flight[3] = source ? source.apicId : -1;
    flight[4] = destination;
    flight[5] = logical ? 1 : 0;
    flight[6] = mode;
    flight[7] = vector;
    flight[8] = assert ? 1 : 0;
    flight[9] = level ? 1 : 0;
    flight[10] = shorthand;
    flight[11] = hint ? 1 : 0;
    flights.push(flight);
    for (let i = flights.length - 1; i > at; i--) flights[i] = flights[i - 1]!;
    flights[at] = flight;
    if (at === 0) this.arrival.at(when);
    return 1;
  }

  private arrive(): void {
    const { books, flights } = this;
    const flight = flights[0]!;
    // shift() would take the room that the next one needs
    for (let i = 1; i < flights.length; i++) flights[i - 1] = flights[i]!;
    flights.pop();
    this.spare.push(flight);
    const [, raise, journey, source, destination, logical, mode, vector, assert, level, shorthand, hint] =
      flight as unknown as number[];
    if (flights.length > 0) this.arrival.at(flights[0]![0]);
    books.source = raise!;
    books.journey = journey!;
    const from = source! < 0 ? null : this.apics[source!]!;
    super.send(
      from,
      destination!,
      logical === 1,
      mode!,
      vector!,
      assert === 1,
      level === 1,
      shorthand!,
      hint === 1,
    );
  }

  save(): Plain {
    return this.flights;
  }

  restore(state: Plain): void {
    this.flights = (state as unknown as Flight[]).map((f) => [...f] as Flight);
  }
}
