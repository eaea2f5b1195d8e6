/** `virqtop serve`: one machine, shown to whoever logs in over SSH. */
import { takeSnapshot } from '../../engine/index.ts';
import { Driver } from '../../tui/driver.ts';
import { Turns } from '../../tui/gate.ts';
import { describe } from '../../tui/index.ts';
import { REAL_HOST } from '../../tui/real-host.ts';
import { keepOnInterrupt } from '../interrupt.ts';
import { chosenOf } from '../machine.ts';
import type { Options } from '../options.ts';
import { runOf } from '../run.ts';
import { accessOf } from '../ssh/access.ts';
import { type Address, addressText } from '../ssh/address.ts';
import { defaultHostKeyFile, hostKey } from '../ssh/host-key.ts';
import { SshServer } from '../ssh/server.ts';
import { checkMachine, checkRecording } from '../together.ts';
import { printable, quoted, RunError, UsageError } from '../usage.ts';
import { ctlOf, delayOf } from './monitor.ts';

const DEFAULT_SESSIONS = 16;
const DEFAULT_IDLE = 30 * 60e9;
/** ms, the longest that a timer knows */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Why it is over: what the viewers are told, and the exit code for them and for us. */
interface End {
  readonly line: string;
  readonly code: number;
}

/** @param begin brings the machine */
export async function serve(options: Options, begin = runOf): Promise<number> {
  const { ssh } = options;
  if (!ssh) throw new UsageError('serve: --ssh HOST:PORT is missing, as --ssh 127.0.0.1:2222');
  checkMachine(options);
  checkRecording(options);
  const delay = delayOf(options);
  const access = accessOf({ ...options, password: takePassword(process.env) }, log);
  const { machine, recorded, recorder } = await begin(options);
  const key = hostKey(options.hostKey ?? defaultHostKeyFile(process.env));

  let finish!: (end: End) => void;
  const finished = new Promise<End>((resolve) => {
    finish = resolve;
  });
  const driver = new Driver(machine, REAL_HOST, {
    speed: options.speed,
    delay,
    fires: options.fire,
    recorded,
    scribe: recorder,
    onError: (error) => finish({ line: describe(error, machine), code: 1 }),
  });
  const { ascii, slow, color, theme, skipZero, idle = DEFAULT_IDLE } = options;
  const server = new SshServer({
    house: {
      driver,
      turns: new Turns(),
      domain: chosenOf(takeSnapshot(machine), options.domain).name,
      hideIdle: skipZero,
      look: { ascii, slow, color, theme },
      locale: process.env.LC_ALL || process.env.LC_CTYPE || process.env.LANG || '',
      idle: idle === 0 ? Number.POSITIVE_INFINITY : Math.min(idle / 1e6, LONGEST_TIMER),
    },
    access,
    hostKey: key.text,
    maxSessions: options.maxSessions ?? DEFAULT_SESSIONS,
    log,
  });
  await import('../../tui/ink-screen.tsx'); // now, so that the first viewer does not wait
  if (options.metrics) await (await import('../metrics.ts')).serveMetrics(machine, options.metrics);
  const ctl = await ctlOf(options);
  const at = await listen(server, ssh)
    .then((there) => {
      recorder?.begin();
      return there;
    })
    .catch(async (error: Error) => {
      ctl?.close();
      await server.stop('virqtop: it did not begin', 1);
      throw error;
    });

  keepOnInterrupt();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => finish({ line: 'the server stopped', code: 0 }));
  }
  // of one viewer or connection, which may not end those of all others; the machine's own come by onError
  process.on('uncaughtException', (error) => log(`goes on after an error: ${describe(error, machine)}`));
  if (key.made) log(`made the host key ${printable(key.file)}`);
  log(`${printable(machine.scenario.name)} on ${addressText(at)}, host key ${key.fingerprint}`);
  driver.run();
  ctl?.control({ driver, quit: () => finish({ line: 'the server stopped', code: 0 }) });
  const { line, code } = await finished;
  driver.suspend();
  recorder?.end(driver.end);
  ctl?.close();
  await server.stop(`virqtop: ${line}`, code);
  if (code !== 0) log(line);
  return code;
}

/** From the environment, which nobody else is to see it in. */
function takePassword(env: NodeJS.ProcessEnv): string | undefined {
  const { VIRQTOP_SSH_PASSWORD } = env;
  delete env.VIRQTOP_SSH_PASSWORD;
  return VIRQTOP_SSH_PASSWORD;
}

function log(line: string): void {
  process.stderr.write(`virqtop: ${line}\n`);
}

const BAD_ADDRESS: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: 'not an address of this machine',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'no such host',
};

/** @throws UsageError for an address that makes no sense; what the system refuses is a failure of the run */
async function listen(server: SshServer, wanted: Address): Promise<Address> {
  try {
    return await server.listen(wanted);
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException;
    const what = `--ssh ${quoted(addressText(wanted))}`;
    const bad = BAD_ADDRESS[code];
    if (bad) throw new UsageError(`${what}: ${bad}`);
    if (code === 'EADDRINUSE') throw new RunError(`${what}: the port is in use`);
    if (code === 'EACCES') throw new RunError(`${what}: no right to listen there`);
    throw new RunError(`${what}: cannot listen (${code})`);
  }
}
