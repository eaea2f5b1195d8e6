/** How sessions of `virqtop serve` end that nobody ended: idle too long, and a machine that fails. */
import { afterAll, expect, test, vi } from 'vitest';
import { serve } from '../../cli/commands/serve.ts';
import { fakeMachine } from '../support/fake-machine.ts';
import { HAS_SSH, SshRig } from '../support/ssh.ts';

const rig = new SshRig();
afterAll(() => rig.close());

test.skipIf(!HAS_SSH)(
  'an idle viewer is told and let go; an error of the machine ends the rest, in one line',
  async () => {
    const said = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      rig.log += text;
      return true;
    });
    const key = rig.key('me');
    const ended = serve(
      {
        ssh: { host: '127.0.0.1', port: 0 },
        authorizedKeys: `${key}.pub`,
        hostKey: `${rig.dir}/host`,
        idle: 2e9,
        delay: 0.2e9,
      },
      async () => ({ machine: fakeMachine({ failAt: 5e9 }) }),
    );
    try {
      await rig.says(/ on 127\.0\.0\.1:\d+/);
      rig.port = Number(/ on 127\.0\.0\.1:(\d+)/.exec(rig.log)![1]);
      const [idle, awake] = await Promise.all([rig.join({ key }, 80, 24), rig.join({ key }, 80, 24)]);
      await Promise.all([idle.shows('q quit'), awake.shows('q quit')]);
      const keys = setInterval(() => awake.press('\t'), 300);
      const codes = await Promise.all([idle.exit(), awake.exit(), ended]);
      clearInterval(keys);
      expect(codes).toEqual([1, 1, 1]);
      for (const terminal of [idle, awake]) {
        expect(terminal.alternate).toBe(false);
        expect(terminal.cursorShown).toBe(true);
      }
      expect(idle.text()).toMatch(/^virqtop: no key for 2 s$/m);
      const line =
        /^virqtop: assertion failed: in-flight > 0 \(xen-pv, seed 42, t 5\.000 000 000 s, event \d+\)$/m;
      expect(awake.text().replace(/\n/g, '')).toContain(
        'virqtop: assertion failed: in-flight > 0 (xen-pv, seed 42',
      );
      expect(rig.log).toMatch(line);
    } finally {
      said.mockRestore();
    }
  },
);
