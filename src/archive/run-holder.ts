/**
 * Who is working on a run: one process, so that two never go on with the same one. A process that was killed cannot say that it is gone; others of its
 * machine see that (its id is free, or was given to a process that began at another time); of those of other machines, and of those that this one hides, only that they have not been heard of.
 */
import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** A process that works on a run. */
export interface RunHolder {
  /** A hash that tells machines (and containers, and the time since they were started) apart, and names none. */
  machine: string;
  pid: number;
  /** When the process began, in the system's own measure; empty where the system does not say. */
  began: string;
  /** ISO 8601, UTC: since when it has the run, and when it last said so. */
  since: string;
  heard: string;
}

/** How often a holder says that it is there, and after what silence one of another machine counts as gone; milliseconds. */
export const HOLDING_INTERVAL = 30_000;
const LONGEST_SILENCE = 10 * HOLDING_INTERVAL;

/** This process, as of now. */
export function thisProcess(now = new Date()): RunHolder {
  const at = now.toISOString();
  return { machine: machine(), pid: process.pid, began: beganAt(process.pid) ?? '', since: at, heard: at };
}

/** Whether the same process is meant, however long ago. */
export function isSame(one: RunHolder, other: RunHolder): boolean {
  return one.machine === other.machine && one.pid === other.pid && one.began === other.began;
}

/** Whether nobody works on the holder's run any more, as far as can be told from here. `began`: when the process of its id did, as `beganAt` says it. */
export function isGone(holder: RunHolder, now = new Date(), began = beganAt(holder.pid)): boolean {
  const silent = now.getTime() - Date.parse(holder.heard) > LONGEST_SILENCE;
  if (holder.machine !== machine()) return silent;
  if (began === undefined) return true;
  // A process of that id is there. Where the system hides since when (hidepid), it may be another.
  return began === '' || holder.began === '' ? silent : began !== holder.began;
}

/** Of this start of the system and this container: a process id means something within these alone. */
function machine(): string {
  const of = [hostname(), contents('/proc/sys/kernel/random/boot_id'), namespaceOfIds()];
  return createHash('sha256').update(of.join('\n')).digest('hex').slice(0, 16);
}

function contents(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

function namespaceOfIds(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

/** When a process began; empty where the system does not say, undefined where there is no such process (or only what is left of one). */
function beganAt(pid: number): string | undefined {
  const status = contents(`/proc/${pid}/stat`);
  if (status !== '') {
    // After the program's name in parentheses: the state, and as the 22nd field in all the start time (proc(5)).
    const fields = status.slice(status.lastIndexOf(') ') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  }
  try {
    process.kill(pid, 0);
    return '';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? '' : undefined;
  }
}
