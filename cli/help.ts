/**
 * What --help and --version print, from the table of options. Loading the parser of the command line costs
 * as much as starting Node does, so that these two do without it.
 */
import { optionsOf } from './flags/index.ts';
import type { Offer } from './flags/row.ts';
import { type CommandName, CTL_VERBS } from './options.ts';
import { VERSION } from './version.ts';

export const VERSION_LINE = `virqtop ${VERSION}\n`;

const OTHER = [
  ['-h, --help', 'show this help'],
  ['-V, --version', 'show the version'],
] as const;

interface Page {
  readonly usage: readonly string[];
  /** what a shell offers for each argument; the last for all after it */
  readonly offers: readonly Offer[];
  readonly about: string;
  readonly end?: string;
}

export const PAGES: Readonly<Record<CommandName, Page>> = {
  virqtop: {
    usage: [
      'virqtop [options] [scenario]',
      'virqtop compare [options] <a> [b]',
      'virqtop completion bash|zsh|fish',
      'virqtop ctl [--socket <name|path>] <verb> [...]',
      'virqtop exec [options] -- <command> [argument...]',
      'virqtop demo [options] [name]',
      'virqtop import [options] <file>',
      'virqtop paper [options] [row...]',
      'virqtop proc [options] [scenario]',
      'virqtop procfs [options] <dir> [scenario]',
      'virqtop qtest --machine pc|virt',
      'virqtop scenario list|show|validate|schema',
      'virqtop serve --ssh <host:port> [options] [scenario]',
      'virqtop trace [options] [scenario]',
      'virqtop vectors <dir>',
    ],
    offers: ['scenario'],
    about: `top for virtual interrupts: simulates a host, its hypervisor and its guests, and
shows every interrupt on its way. A live monitor, or text with -b, -J or --csv.

Commands:
  compare                    two scenarios, or one with settings, side by side
  completion <shell>         what makes a shell complete this command line
  ctl                        command and ask a running monitor or server
  exec                       run a program that finds the simulated /proc
  demo                       what goes wrong with interrupts, step by step
  import                     a recorded trace beside the run that it drives
  paper                      published microbenchmarks, and ours beside them
  proc                       print a file of /proc as a guest shows it
  procfs                     keep a directory with /proc of every domain
  qtest                      interrupt chips to drive over standard input
  scenario                   list and show scenarios, check files of one's own
  serve                      the monitor for many at once, over SSH
  trace                      records of a run in the formats of tracing tools
  vectors <dir>              replay golden vectors against the models
                             (virqtop COMMAND --help tells more)`,
    end: `Examples:
  virqtop                              the default scenario in the monitor
  virqtop xen-pv-2.6.18 -g dom1        another one, watching dom1
  virqtop -b -n 3 -d 5                 three blocks, 5 simulated seconds apart
  virqtop -J -n 10 --fire disk@2sx10   JSON lines; ten disk interrupts at 2 s
  virqtop --dump i --at 5              interrupts, as Xen's debug key i
  virqtop kvm --fire vm1.kbd@1 --path fired
                                       one interrupt, hop by hop
  virqtop kvm --dump pic               interrupt chips, as QEMU's info pic
  virqtop kvm --fire vm1.kbd@1 --cast f
                                       a recording: asciinema play f
  virqtop compare kvm --b apicv=true   what APIC virtualization changes
  virqtop proc --at 5 -g dom1          /proc/interrupts of dom1 after 5 s
  virqtop --import A B --interval 5s   the host of two captures, 5 s apart

Times are 5, 5s, 0.25s, 250ms, 10us. What is printed in batch depends on the
scenario, the seed and the options alone. Exit status: 0 fine (also when the
user interrupts or the reader leaves), 1 the run failed, 2 wrong usage or input.`,
  },
  proc: {
    usage: ['virqtop proc [options] [scenario]'],
    offers: ['scenario'],
    about: 'Prints a file of /proc as the guest shows it at a simulated time.',
    end: `Examples:
  virqtop proc --at 5 -g dom1          /proc/interrupts of dom1 after 5 s
  virqtop proc --file stat             /proc/stat of dom0 after 1 s
  virqtop proc --import A B --interval 5s --at 5s
                                       what B looks like, from A on`,
  },
  compare: {
    usage: ['virqtop compare [options] <a> [b]'],
    offers: ['scenario', 'scenario'],
    about: `Runs two scenarios, or one with different settings, with the same seed, for the
same simulated time and firing the same devices, and prints what differs: the
settings, then rates and times of the host, of Xen and of each domain on both
sides. What changed most comes first; what is equal is only counted.`,
    end: `A setting is a place in the scenario file and YAML: apicv=true, cpus=2,
guests[0].fifo=false, 'workloads[0]={what: disk, vm: 1}'. Without a value it
takes the key away; an index one above the last adds to a list. Interrupts,
softirqs and exits are matched by their names, those of one name in a domain
counted together.

Examples:
  virqtop compare kvm kvm-noack        what acknowledge-on-exit changes
  virqtop compare kvm --b apicv=true   APIC virtualization off and on
  virqtop compare xen-arm-v2 --b gic=3 --for 2s
                                       GICv2 and GICv3
  virqtop compare xen-pv --b 'guests[0].fifo=false' --b dom0.fifo=false
                                       event channels, FIFO and 2-level
  virqtop compare kvm kvm-apicv -J     the same as JSON, with what is equal`,
  },
  completion: {
    usage: ['virqtop completion bash|zsh|fish'],
    offers: [['bash', 'zsh', 'fish']],
    about: `Prints what makes a shell complete virqtop's commands, options, their values and
the names of the built-in scenarios.`,
    end: `Where the shells look for it:
  bash    source <(virqtop completion bash)        in ~/.bashrc
  zsh     source <(virqtop completion zsh)         in ~/.zshrc, after compinit
  fish    virqtop completion fish > ~/.config/fish/completions/virqtop.fish`,
  },
  exec: {
    usage: ['virqtop exec [options] -- <command> [argument...]'],
    offers: [],
    about: `Runs a program that finds the simulated host where it looks for its own: in a
mount namespace of its own, with /proc/interrupts, softirqs, stat, uptime and
cpuinfo, /proc/irq and the list of CPUs under /sys of a domain; on a KVM host
with KVM's folder of debugfs. They go on while it runs. An affinity that it
writes moves the interrupt in the simulation, and none of this machine. No
rights are needed where users may have namespaces; where not it says so, exit
status 1. Else the exit status is the program's.`,
    end: `Examples:
  virqtop exec -- mpstat -I ALL 1 3
  virqtop exec --scenario kvm -g vm1 -- lsirq
  virqtop exec --scenario kvm -- kvm_stat -d -1 -g vm1
  virqtop exec -- irqbalance --debug --oneshot --foreground
  virqtop exec --speed 10 -- vmstat 1`,
  },
  import: {
    usage: ['virqtop import [options] <file>'],
    offers: ['file'],
    about: `Reads a trace of a real host: a file of xentrace, a trace.dat of trace-cmd
(version 6 or 7), or the text of ftrace or trace-cmd report with KVM's events,
packed by gzip or not. What raised interrupts there raises them in a machine of
the same kind, at the same times, and what the guests did in between is done.
Printed is what came of it: exits by reason and injections by vector, recorded
and simulated, what the difference comes from, and what is not driven.`,
    end: `The same machine runs in the monitor and in all other commands by --import FILE.

Examples:
  xentrace -D -e all -T 5 xen.trace    on Xen: five seconds of all CPUs
  virqtop import xen.trace --cpu-hz 2.6G
                                       and what comes of them here
  trace-cmd record -e kvm sleep 5      on a host with KVM
  virqtop import trace.dat -J          the same as JSON, second by second
  virqtop --import trace.dat           the machine in the monitor`,
  },
  procfs: {
    usage: ['virqtop procfs [options] <dir> [scenario]'],
    offers: ['file', 'scenario'],
    about: `Keeps DIR/DOMAIN/proc/{interrupts,softirqs,stat,uptime,cpuinfo} of every domain
up to date, and the list of its CPUs under DIR/DOMAIN/sys, of a KVM host its
debugfs's folder kvm as well, until it is interrupted. No reader sees half of a
file. Started again with the same directory, scenario and seed it goes on where
it ended: counters never go back.`,
    end: `Examples:
  virqtop procfs /tmp/host &
  watch -d cat /tmp/host/dom0/proc/interrupts
  prometheus-node-exporter --path.procfs=/tmp/host/dom0/proc \\
    --collector.interrupts`,
  },
  ctl: {
    usage: ['virqtop ctl [--socket <name|path>] <verb> [...]'],
    offers: [[...CTL_VERBS]],
    about: `Commands a monitor or server that was started with --socket, and asks it.
Prints a line of JSON for each answer.

Verbs:
  fire DEVICE [xN]           an event of a device, or N at once
  do JSON                    any command, as '{"do":"mask",...}'
  pause, run, step, next     stop, go on, one event, to the next interrupt
  speed X                    simulated seconds per second, or max
  state                      time, speed, running or not
  snapshot                   what the monitor draws, as -J prints it
  events [KIND...]           follow frames, journeys (of what was fired) and
                             records (of the trace); default: frames, journeys
  quit                       end it`,
    end: `--socket takes a name, for a socket in a folder of one's own
($XDG_RUNTIME_DIR/virqtop), or a path with a slash. Exit status: 0 done,
1 refused or nobody there, 2 wrong usage.

Examples:
  virqtop kvm --socket lab &
  virqtop ctl fire vm1.kbd x10
  virqtop ctl do '{"do":"mask","domain":"vm1","irq":11,"masked":true}'
  virqtop ctl snapshot | jq .totals
  virqtop ctl events journeys | jq -c '[.device, .latency]'
  echo '{"do":"pause"}' | socat - UNIX:$XDG_RUNTIME_DIR/virqtop/lab.sock`,
  },
  demo: {
    usage: ['virqtop demo', 'virqtop demo [options] <name|file>'],
    offers: ['file'],
    about: `Without a name: the demos there are. With one: the monitor runs it, says what
happens above the footer, and all keys work. Its steps are at simulated times:
space pauses it as well, [ and ] make it slower and faster. Where a demo has
several runs, such as without and with the mistake's cure, the next one begins
with space when one is over.`,
    end: `A demo is a YAML file: a scenario, steps with a time, a caption and commands,
and what must come of them, as domains[vm1].interrupts[LOC].total since 2s == 0.

Examples:
  virqtop demo nobody-cared            in the monitor
  virqtop demo nobody-cared -b         the same as text
  virqtop demo nobody-cared --check    whether it came out as it says
  virqtop demo nobody-cared --cast f   a recording: asciinema play f`,
  },
  paper: {
    usage: ['virqtop paper [options] [row...]'],
    offers: [['hypercall', 'trap', 'ipi', 'completion', 'switch', 'io-out', 'io-in']],
    about: `Runs the seven microbenchmarks of Dall et al., "ARM Virtualization: Performance
and Architectural Implications" (ISCA 2016), on KVM x86, Xen x86 and Xen ARM,
and prints what they take beside the published cycles. Each row is the time
between two records of a simulated run. The published figures were transcribed
from memory.`,
    end: `Rows are hypercall, trap (interrupt controller trap), ipi (virtual IPI),
completion (virtual IRQ completion), switch (VM switch), io-out and io-in (I/O
latency). Without any, all of them. --why lists the entries of the table of
costs on the path of each, so many times so many nanoseconds; they add up to
what was measured. Exit status 1: a row is more than 10 % off.

Examples:
  virqtop paper
  virqtop paper --why ipi switch`,
  },
  qtest: {
    usage: ['virqtop qtest --machine pc|virt'],
    offers: [],
    about: `Speaks QEMU's qtest protocol on standard input and output: the interrupt chips
of a PC or of an ARM board, to be driven by any qtest client, register by
register and wire by wire.`,
    end: `Commands:
  inb|inw|inl PORT                      outb|outw|outl PORT VALUE
  readb|readw|readl|readq ADDRESS
  writeb|writew|writel|writeq ADDRESS VALUE
  set_irq_in DEVICE NAME INPUT LEVEL    irq_intercept_in DEVICE
  clock_step [NS]   clock_set NS        irq_intercept_out DEVICE

Devices are ioapic, i8259, and QEMU's paths of the two 8259s,
/machine/unattached/device[6] and [7]; on virt, which has one CPU and no ports,
gic, and QEMU's paths of it and of the CPU, /machine/unattached/device[1] and
[0]. Inputs of gic are the SPIs, then from 256 the CPU's private interrupts;
wires of the CPU are 0, IRQ, and 1, FIQ. virt,gic-version=3 has a GICv3:
distributor and redistributor.`,
  },
  scenario: {
    usage: [
      'virqtop scenario list [-J]',
      'virqtop scenario show [--full] <name|file>',
      'virqtop scenario validate [-J] <file...>',
      'virqtop scenario schema [--platform xen|kvm|arm]',
    ],
    offers: [['list', 'show', 'validate', 'schema'], 'scenario'],
    about: `list      the built-in scenarios: name, system and title
show      the YAML of a scenario, to begin one's own with
validate  every mistake in the files, a line each: file, line, place, what is
          wrong and what would be right; - is standard input. What parts must
          have in common is looked at when each by itself is right.
          Exit status 2 if there is any mistake.
schema    the JSON Schema (draft 2020-12) of such files, for editors`,
    end: `Examples:
  virqtop scenario show xen-pv > lab.yaml
  virqtop scenario validate lab.yaml && virqtop ./lab.yaml
  virqtop scenario schema > virqtop.schema.json
With this as its first line an editor completes and checks lab.yaml:
  # yaml-language-server: $schema=virqtop.schema.json`,
  },
  serve: {
    usage: ['virqtop serve --ssh <host:port> [options] [scenario]'],
    offers: ['scenario'],
    about: `Runs one machine, and shows it to everybody who logs in by ssh: each with a
view, size and theme of their own. All watch; whoever --control names may fire,
pause and change the machine as well. There is no shell, no command, no
forwarding. A line on standard error tells who comes and goes; SIGINT or SIGTERM
ends it.`,
    end: `Keys are read as sshd reads them; ~/.ssh/authorized_keys without the option. A
password for any user may also be in VIRQTOP_SSH_PASSWORD. To draw what suits a
slow line log in as slow, or as NAME+slow.

Examples:
  virqtop serve --ssh 127.0.0.1:2222 kvm
  ssh -p 2222 127.0.0.1                what anybody with a key sees
  ssh -p 2222 slow@127.0.0.1           the same over a slow line
  virqtop serve --ssh [::]:2222 --authorized-keys team --control mine.pub
  virqtop serve --ssh 0.0.0.0:2222 --password-file users --control alice`,
  },
  trace: {
    usage: ['virqtop trace [options] [scenario]'],
    offers: ['scenario'],
    about: `Runs a scenario and writes every record of its trace, for tools that read such:

  ftrace      the text of tracefs's file trace
  trace-dat   trace-cmd report, KernelShark
  perf        perf kvm stat report, perf script
  xentrace    xenalyze --cpu-hz=2.1G; of Xen on x86 alone
  ctf         babeltrace2, Trace Compass; a directory
  vcd         GTKWave: interrupt chips, list registers, lines, rates; with -o
              NAME.vcd its layout is in NAME.gtkw
  chrome      Perfetto, chrome://tracing
  jsonl       JSON lines, a record each; the first one says of what

On KVM hosts what Linux 6.1 has tracepoints for are those, with the threads
that they would be in; everything else is an event of the system virqtop. The
trace is written while the machine runs: memory does not grow with it.`,
    end: `Examples:
  virqtop trace kvm --for 100ms        text, from boot on
  virqtop trace kvm --at 2 --for 5s --format trace-dat -o trace.dat
                                       trace-cmd report trace.dat
  virqtop trace xen-hvm --format xentrace -o xen.trace
                                       xenalyze --cpu-hz=2.1G -s xen.trace
  virqtop trace xen-pv --format jsonl --fire disk@0.5 | jq -c .event`,
  },
  vectors: {
    usage: ['virqtop vectors <dir>'],
    offers: ['file'],
    about: `Replays the golden vector files (.jsonl, .jsonl.gz) of a directory against the
models and prints, per suite, how many cases pass. Exit status 1 if not all do.`,
  },
};

export function helpOf(command: CommandName): string {
  const { usage, about, end } = PAGES[command];
  const parts = [`Usage: ${usage.join('\n       ')}`, about];
  for (const { title, rows } of optionsOf(command)) {
    parts.push(
      group(
        title,
        rows.map(({ flags, help }) => [flags, help]),
      ),
    );
  }
  parts.push(group('Other:', command === 'virqtop' ? OTHER : OTHER.slice(0, 1)));
  if (end) parts.push(end);
  return `${parts.join('\n\n')}\n`;
}

function group(title: string, rows: readonly (readonly [flags: string, help: string])[]): string {
  return [title, ...rows.map(([flags, help]) => `  ${flags.padEnd(25)}  ${help}`)].join('\n');
}

/** The text that is asked for where the command line asks for nothing else. */
export function quickText(argv: readonly string[]): string | undefined {
  if (argv.length === 1) {
    if (argv[0] === 'help' || argv[0] === '-h' || argv[0] === '--help') return helpOf('virqtop');
    if (argv[0] === '-V' || argv[0] === '--version') return VERSION_LINE;
  }
  return undefined;
}
