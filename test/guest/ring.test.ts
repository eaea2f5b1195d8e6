/** The ring of a split driver: what it holds, and that a peer who sleeps is always told. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BackRing, FrontRing, SharedRing } from '../../engine/abi/ring.ts';

function ring(size = 8) {
  const shared = new SharedRing('test', size);
  return { shared, front: new FrontRing(shared), back: new BackRing(shared) };
}

describe('requests', () => {
  test('are seen by the backend only when they are pushed, and in their order', () => {
    const { front, back } = ring();
    front.request(7);
    front.request(8);
    expect(back.waiting).toBe(0);
    front.push();
    expect([back.request(), back.request()]).toEqual([7, 8]);
    expect(back.waiting).toBe(0);
  });

  test('of one push make one notification', () => {
    const { front } = ring();
    for (let i = 0; i < 3; i++) front.request(i);
    expect(front.push()).toBe(true);
  });

  test('make no notification before the backend has asked for one again', () => {
    const { front, back } = ring();
    front.request(0);
    expect(front.push()).toBe(true);
    back.request();
    front.request(1);
    expect(front.push()).toBe(false);
    expect(back.finalCheck()).toBe(true);
    back.request();
    expect(back.finalCheck()).toBe(false);
    front.request(2);
    expect(front.push()).toBe(true);
  });

  test('a push of nothing notifies nobody', () => {
    const { front } = ring();
    expect(front.push()).toBe(false);
  });
});

describe('responses', () => {
  test('come back through the slots of their requests, and make room', () => {
    const { front, back } = ring(4);
    for (let i = 0; i < 4; i++) front.request(i);
    front.push();
    expect(front.full).toBe(true);
    expect(front.free).toBe(0);
    back.request();
    back.response(70);
    expect(back.push()).toBe(true);
    // the slot is free when the frontend has taken the response
    expect(front.full).toBe(true);
    expect(front.response()).toBe(70);
    expect(front.full).toBe(false);
  });

  test('half of them: the frontend is told when half of what is under way has come back', () => {
    const { front, back } = ring(16);
    for (let i = 0; i < 10; i++) front.request(i);
    front.push();
    expect(front.askForHalf()).toBe(false);
    const told: boolean[] = [];
    for (let i = 0; i < 10; i++) {
      back.response(back.request());
      told.push(back.push());
    }
    // rsp_event = 0 + (10 >> 1) + 1
    expect(told.indexOf(true)).toBe(5);
    expect(told.filter(Boolean)).toHaveLength(1);
  });

  test('one after all others are taken: told of the next', () => {
    const { front, back } = ring();
    front.request(1);
    front.push();
    back.response(back.request());
    expect(back.push()).toBe(true);
    front.response();
    expect(front.finalCheck()).toBe(false);
    front.request(2);
    front.push();
    back.response(back.request());
    expect(back.push()).toBe(true);
  });
});

test('all requests are answered when as many responses are made as requests were taken', () => {
  const { front, back } = ring();
  front.request(1);
  front.request(2);
  front.push();
  expect(back.allAnswered).toBe(true);
  back.request();
  expect(back.allAnswered).toBe(false);
  back.response(1);
  expect(back.allAnswered).toBe(true);
});

/** Both ends, each working when it is awake, asleep when its final check found nothing. */
type Step = 'request' | 'push' | 'take' | 'answer' | 'tell' | 'front sleeps' | 'back sleeps';

test.each(['final check', 'half'] as const)(
  'whatever the ends do in whatever order, none sleeps on work without a notification (%s)',
  (discipline) => {
    const steps = fc.array(
      fc.constantFrom<Step>(
        'request',
        'request',
        'push',
        'take',
        'answer',
        'tell',
        'front sleeps',
        'back sleeps',
      ),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(steps, (list) => {
        const { shared, front, back } = ring(8);
        // asleep with a notification pending is as good as awake
        let frontTold = true;
        let backTold = true;
        let taken = 0;
        let content = 0;
        const collect = () => {
          while (front.waiting > 0) front.response();
        };
        for (const step of list) {
          if (step === 'request' && !front.full) front.request(content++);
          else if (step === 'push' && front.push()) backTold = true;
          else if (step === 'take' && backTold && back.waiting > 0) {
            back.request();
            taken++;
          } else if (step === 'answer' && taken > 0) {
            taken--;
            back.response(0);
          } else if (step === 'tell' && back.push()) frontTold = true;
          else if (step === 'front sleeps' && frontTold) {
            do collect();
            while (discipline === 'half' ? front.askForHalf() : front.finalCheck());
            frontTold = false;
          } else if (step === 'back sleeps' && backTold) {
            if (!back.finalCheck()) backTold = false;
          }
          if (!backTold) expect(back.waiting, 'requests that the backend sleeps on').toBe(0);
          if (!frontTold && discipline === 'final check') {
            expect(front.waiting, 'responses that the frontend sleeps on').toBe(0);
          }
        }
        // everything under way comes back: then at the latest the frontend is told
        if (front.push()) backTold = true;
        while (back.waiting > 0) {
          expect(backTold).toBe(true);
          back.request();
          taken++;
        }
        for (; taken > 0; taken--) back.response(0);
        if (back.push()) frontTold = true;
        if (front.waiting > 0) expect(frontTold).toBe(true);
        expect(shared.reqProd - shared.rspProd).toBe(0);
      }),
      { numRuns: 1_000 },
    );
  },
);

test('saved and restored, both ends go on', () => {
  const { shared, front, back } = ring();
  for (let i = 0; i < 5; i++) front.request(i);
  front.push();
  back.request();
  back.response(9);
  const saved = JSON.parse(JSON.stringify([shared.save(), front.save(), back.save()]));
  const other = ring();
  other.shared.restore(saved[0]);
  other.front.restore(saved[1]);
  other.back.restore(saved[2]);
  expect(other.back.request()).toBe(1);
  other.back.response(10);
  expect(other.back.push()).toBe(true);
  expect([other.front.response(), other.front.response()]).toEqual([9, 10]);
  expect(other.front.free).toBe(5);
});
