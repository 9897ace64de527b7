/**
 * A Node program of ours that works on what strangers wrote: it runs behind the highest wall of this system, under limits, in an environment of
 * the variables it is given and no others, and talks to us over a pipe. Nothing in our own environment changes any of that.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { totalmem } from 'node:os';
import type { Duplex } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import type { Seen } from './bubblewrap.ts';
import { Channel, type Listener, MOST_MESSAGE_BYTES } from './channel.ts';
import { standingEnclosure } from './enclosure.ts';
import { type ResourceLimits, underLimits } from './limits.ts';
import { fillLoaderCache, loadingFlags, programDirectory } from './program-files.ts';

/** The descriptors of a child: 0 to 2 as always, 3 is the channel, and what it is given beside begins at 4. */
const CHANNEL = 3;
export const FIRST_GIVEN = 4;
/** A child's last parameter. Without it a program is only loaded, to see that it can be (scripts/programs.mjs). */
const STARTED = 'for-its-parent';

export interface NodeChildOptions {
  /** A file of ours. */
  readonly program: string;
  readonly parameters?: readonly string[];
  /** Node's own flags. */
  readonly flags?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** What it sees beside the program's own files. */
  readonly seen?: Seen;
  readonly limits: ResourceLimits;
  /** Open file that is its standard output; nothing, if absent. */
  readonly output?: number;
  /** Open files that it has from descriptor {@link FIRST_GIVEN} on. */
  readonly given?: readonly number[];
}

export interface NodeChild {
  readonly process: ChildProcess;
  readonly channel: Channel;
  /** The wall around it, for people: `bubblewrap, and a user of its own`; `none`. */
  readonly wall: string;
  /** Its messages, and their end, go to what this was given last. */
  listen(listener: Listener): void;
  /** Ends it at once. */
  kill(): void;
}

/** Memory of a child that is asked for `kib` at most: no limit is above what the machine has. */
export function memoryLimitKiB(kib: number): number {
  return Math.min(kib, Math.floor(totalmem() / 1024));
}

/** Starts one. It does not keep our own process alive. Rejects where the system cannot start it. */
export async function startNodeChild(options: NodeChildOptions): Promise<NodeChild> {
  const { program, parameters = [], flags = [], environment = {}, seen = {}, output, given = [] } = options;
  const [enclosure] = await Promise.all([standingEnclosure(), fillLoaderCache(program)]);
  const { processes, dataKiB, ...limits } = options.limits;
  const held: ResourceLimits = {
    ...limits,
    ...(enclosure.countsProcesses ? { processes } : {}),
    // Elsewhere the same name stands for other things.
    ...(process.platform === 'linux' ? { dataKiB } : {}),
  };
  const command = [
    process.execPath,
    ...(program.endsWith('.ts') ? loadingFlags : []),
    ...flags,
    program,
    ...parameters,
    STARTED,
  ];
  const limited = process.platform === 'win32' ? command : underLimits(command, held);
  const enclosed = enclosure.enclose(limited, { ...seen, directory: programDirectory });
  const child = spawn(enclosed.command[0]!, enclosed.command.slice(1), {
    cwd: programDirectory,
    env: { ...environment },
    ...(enclosed.user === undefined ? {} : { uid: enclosed.user, gid: enclosed.user }),
    stdio: ['ignore', output ?? 'ignore', 'pipe', 'pipe', ...given],
    detached: true, // a process group of its own: see kill
  });
  await once(child, 'spawn');
  let listener: Listener = { message: () => undefined, ended: () => undefined };
  const pipe = child.stdio[CHANNEL] as Duplex;
  const channel = new Channel(pipe, MOST_MESSAGE_BYTES, {
    message: (value) => listener.message(value),
    ended: (why) => listener.ended(why),
  });
  child.on('error', () => undefined); // that it could not be signalled: it has ended
  child.unref();
  for (const stream of [pipe, child.stderr]) (stream as { unref?: () => void } | null)?.unref?.();
  return {
    process: child,
    channel,
    wall: enclosed.name ?? enclosure.name,
    listen: (next) => {
      listener = next;
    },
    kill: () => {
      channel.close(); // what outlives this because it was on its way to another group ends when it finds nobody to answer
      pipe.destroy();
      killGroup(child);
    },
  };
}

/**
 * Kills a child and what stands around it. Bubblewrap has a process within wait for the one without before it is told to die with that: killed alone in its
 * first milliseconds, the outer one would leave an inner one that waits for ever.
 */
function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
      process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The group is gone already.
  }
  child.kill('SIGKILL'); // so that it counts as killed
}

/** The child's side: answers each message with what `answer` makes of it, and ends (after `close`) when its parent does. */
export function answerParent(answer: (message: unknown) => unknown, close: () => void = () => undefined): void {
  if (process.argv.at(-1) !== STARTED) return;
  const pipe = new Socket({ fd: CHANNEL, readable: true, writable: true });
  const channel: Channel = new Channel(pipe, MOST_MESSAGE_BYTES, {
    message: async (value) => {
      // A parent that died before its question was read left it behind. That its end is closed shows within a turn or two; while a long answer is made nothing would.
      for (let turn = 0; turn < 2; turn++) await setImmediate();
      if (channel.open) channel.send(await answer(value));
    },
    ended: () => {
      close();
      process.exit(0);
    },
  });
}
