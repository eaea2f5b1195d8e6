/** The local APIC, sentence by sentence of the SDM's chapter on it. */
import { describe, expect, test } from 'vitest';
import { Clock } from '../../../engine/core/clock.ts';
import { ApicBus } from '../../../engine/hw/x86/apic-bus.ts';
import { physicalLapic } from '../../../engine/hw/x86/physical-lapic.ts';

/** A local APIC and the number of times it asked its processor. */
function apic() {
  const asked = { times: 0 };
  const lapic = physicalLapic(new Clock(), new ApicBus(), 0, () => asked.times++);
  return { lapic, asked };
}

describe('accepting', () => {
  test('a message sets the request bit of its vector and asks the processor', () => {
    const { lapic, asked } = apic();
    expect(lapic.request(0x31)).toBe(true);
    expect(lapic.irr.members()).toEqual([0x31]);
    expect(asked.times).toBe(1);
  });

  test('a second message for a vector that is requested already is one with it', () => {
    const { lapic, asked } = apic();
    lapic.request(0x31);
    expect(lapic.request(0x31)).toBe(false);
    expect(asked.times).toBe(1);
  });

  test('while a vector is in service one more of it can be requested', () => {
    const { lapic } = apic();
    lapic.request(0x31);
    lapic.ack();
    expect(lapic.request(0x31)).toBe(true);
    expect([lapic.irr.has(0x31), lapic.isr.has(0x31)]).toEqual([true, true]);
  });

  test('the trigger mode of the last message is kept with the vector', () => {
    const { lapic } = apic();
    lapic.request(0x31, true);
    expect(lapic.tmr.has(0x31)).toBe(true);
    lapic.ack();
    lapic.request(0x31, false);
    expect(lapic.tmr.has(0x31)).toBe(false);
  });
});

describe('priority', () => {
  test('the highest vector is taken first', () => {
    const { lapic } = apic();
    for (const vector of [0x31, 0xfa, 0x80]) lapic.request(vector);
    expect([lapic.ack(), lapic.irr.members()]).toEqual([0xfa, [0x31, 0x80]]);
  });

  test('nothing of the same or a lower class comes through what is in service', () => {
    const { lapic, asked } = apic();
    lapic.request(0x80);
    lapic.ack();
    for (const vector of [0x8f, 0x81, 0x79]) lapic.request(vector);
    expect(lapic.deliverable()).toBe(-1);
    expect(lapic.ack()).toBe(-1);
    expect(asked.times).toBe(1);
  });

  test('a higher class comes through', () => {
    const { lapic, asked } = apic();
    lapic.request(0x8f);
    lapic.ack();
    lapic.request(0x90);
    expect(asked.times).toBe(2);
    expect(lapic.ack()).toBe(0x90);
    expect(lapic.isr.members()).toEqual([0x8f, 0x90]);
  });

  test('with nothing requested there is nothing to take', () => {
    expect(apic().lapic.ack()).toBe(-1);
  });
});

describe('end of interrupt', () => {
  test('it ends the highest vector in service, whichever handler says it', () => {
    const { lapic } = apic();
    lapic.request(0x31);
    lapic.ack();
    lapic.request(0x41);
    lapic.ack();
    expect([lapic.eoi(), lapic.eoi(), lapic.eoi()]).toEqual([0x41, 0x31, -1]);
  });

  test('what had to wait is offered again', () => {
    const { lapic, asked } = apic();
    lapic.request(0x80);
    lapic.ack();
    lapic.request(0x81);
    expect(asked.times).toBe(1);
    lapic.eoi();
    expect(asked.times).toBe(2);
    expect(lapic.ack()).toBe(0x81);
  });
});

test('its state travels as plain data', () => {
  const { lapic } = apic();
  lapic.request(0x31, true);
  lapic.ack();
  lapic.request(0x22);
  const copy = apic().lapic;
  copy.restore(JSON.parse(JSON.stringify(lapic.save())));
  expect([copy.irr.members(), copy.isr.members(), copy.tmr.members()]).toEqual([[0x22], [0x31], [0x31]]);
});
