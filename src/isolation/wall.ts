/**
 * A wall around a tool (a compiler, PyTorch) where bubblewrap is installed: it sees the system's programs and headers, the folders it is
 * given and a directory of its own, read-only but for that directory, in namespaces of its own, with no network.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { inUserNamespace, systemProgram } from './bubblewrap.ts';

const execute = promisify(execFile);

/** Whether a command runs and ends well. */
export async function runs(command: readonly string[]): Promise<boolean> {
  try {
    await execute(command[0]!, command.slice(1), { timeout: 10_000, env: {} });
    return true;
  } catch {
    return false;
  }
}

let works: Promise<boolean> | undefined;

/** Whether bubblewrap is here and may make namespaces. Tried once a process. */
export function wallWorks(): Promise<boolean> {
  const bubblewrap = systemProgram('bwrap');
  works ??=
    bubblewrap === undefined ? Promise.resolve(false) : runs(inUserNamespace(bubblewrap, {}, ['/bin/sh', '-c', ':']));
  return works;
}

/** `command` behind the wall, or as it is where there is none. `folders` may be read, `directory` written, `devices` (files of /dev) used; it starts in `start`. */
export async function behindWall(
  command: readonly string[],
  directory: string,
  folders: readonly string[],
  devices: readonly string[] = [],
  start: string = directory,
): Promise<string[]> {
  if (!(await wallWorks())) return [...command];
  const seen = { readable: folders, writable: [directory], devices, directory: start };
  return inUserNamespace(systemProgram('bwrap')!, seen, command);
}
