/** A USB controller's interrupt: held until the status is cleared. */
import { expect, test } from 'vitest';
import { Uhci, USBINTR, USBSTS, USBSTS_USBINT } from '../../../engine/devices/pc/uhci.ts';

test('the line is up from the event until ones are written to its status bit', () => {
  const levels: boolean[] = [];
  const chip = new Uhci('usb', { set: (high) => levels.push(high) });
  chip.fire();
  expect(chip.read(USBSTS, 2)).toBe(USBSTS_USBINT);
  chip.write(USBSTS, 0x20, 2);
  expect(levels.at(-1)).toBe(true);
  chip.write(USBSTS, USBSTS_USBINT, 2);
  expect([levels.at(-1), chip.read(USBSTS, 2)]).toEqual([false, 0]);
});

test('a cause that is not enabled does not raise it, but shows in the status', () => {
  const levels: boolean[] = [];
  const chip = new Uhci('usb', { set: (high) => levels.push(high) });
  chip.write(USBINTR, 0, 2);
  chip.fire();
  expect([levels.at(-1), chip.read(USBSTS, 2)]).toEqual([false, USBSTS_USBINT]);
  chip.write(USBINTR, 4, 2);
  expect(levels.at(-1)).toBe(true);
});

test('a saved controller goes on with its status', () => {
  const chip = new Uhci('usb', { set: () => {} });
  chip.fire();
  const other = new Uhci('usb', { set: () => {} });
  other.restore(chip.save());
  expect(other.read(USBSTS, 2)).toBe(USBSTS_USBINT);
});
