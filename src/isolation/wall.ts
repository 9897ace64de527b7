/**
 * A wall around a process where bubblewrap is installed: it sees the system's programs and headers, the folders it is
 * given and a directory of its own, read-only but for that directory, in namespaces of its own, with no network.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';

const execute = promisify(execFile);

const systemFolders = ['/usr', '/bin', '/lib', '/lib64', '/etc/alternatives', '/etc/ld.so.cache'];

function prefix(folders: readonly string[], writable?: string, devices: readonly string[] = []): string[] {
  const existing = [...new Set([...systemFolders, ...folders])].filter((folder) => existsSync(folder));
  return [
    ...['bwrap', '--unshare-all', '--die-with-parent', '--new-session'],
    ...['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp'],
    ...existing.flatMap((folder) => ['--ro-bind', folder, folder]),
    ...devices.flatMap((device) => ['--dev-bind', device, device]),
    ...(writable ? ['--bind', writable, writable, '--chdir', writable] : []),
  ];
}

let works: Promise<boolean> | undefined;

/** Whether bubblewrap is here and may make namespaces. Tried once a process. */
export function wallWorks(): Promise<boolean> {
  works ??= execute('bwrap', [...prefix([]).slice(1), 'true'], { timeout: 10_000 }).then(
    () => true,
    () => false,
  );
  return works;
}

/** `command` behind the wall, or as it is where there is none. `folders` may be read, `directory` written, `devices` (files of /dev) used. */
export async function behindWall(
  command: readonly string[],
  directory: string,
  folders: readonly string[],
  devices: readonly string[] = [],
): Promise<string[]> {
  return (await wallWorks()) ? [...prefix(folders, directory, devices), ...command] : [...command];
}
