/** Bubblewrap's command line: what a process sees of the file system, and the namespaces it is in. */
import { accessSync, constants, existsSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';

/** What a process sees beside the system's programs, a /proc, a bare /dev and an empty /tmp of its own. Absolute paths. */
export interface Seen {
  /** Folders and files that it may read. */
  readonly readable?: readonly string[];
  /** The same under another name: from, to. */
  readonly renamed?: readonly (readonly [from: string, to: string])[];
  readonly writable?: readonly string[];
  /** Files of /dev that it may use. */
  readonly devices?: readonly string[];
  /** Where it starts. */
  readonly directory?: string;
}

const systemFolders = ['/usr', '/bin', '/sbin', '/lib', '/lib64', '/etc/alternatives', '/etc/ld.so.cache'];

/** Folders that belong to the system. PATH is not asked: it could name something else, or leave a wall out without a word. */
const programFolders = ['/usr/bin', '/bin', '/usr/local/bin', '/usr/sbin', '/sbin', '/run/current-system/sw/bin'];

/** A program of the system, by its full name. */
export function systemProgram(name: string): string | undefined {
  return programFolders
    .map((folder) => join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** Whether the system's folders hold it already. */
const ofSystem = (path: string): boolean =>
  systemFolders.some((folder) => path === folder || path.startsWith(`${folder}/`));

/** Folders above a path, from the top. */
function above(path: string): string[] {
  const parent = dirname(path);
  return parent === '/' || !isAbsolute(path) ? [] : [...above(parent), parent];
}

/** The file system that a process sees. What is not there is left out. Folders on the way are empty but for what was asked for, and anyone's to pass. */
function mounts({ readable = [], renamed = [], writable = [], devices = [], directory }: Seen): string[] {
  const same = (paths: readonly string[]) => [...new Set(paths)].map((path) => [path, path] as const);
  const here = <Pair extends readonly [string, string]>(pairs: readonly Pair[]) =>
    pairs.filter(([from]) => existsSync(from));
  // What lies in a folder that is seen is seen with it; a link there cannot be mounted upon.
  const within = (path: string) => readable.some((folder) => folder !== path && path.startsWith(`${folder}/`));
  const others = readable.filter((path) => !ofSystem(path) && !within(path));
  const read = here([...same([...systemFolders, ...others]), ...renamed]);
  const write = here(same(writable));
  const use = here(same(devices));
  const folders = new Set([...read, ...write].flatMap(([, to]) => above(to)).filter((path) => !ofSystem(path)));
  return [
    ...['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp'],
    ...[...folders].flatMap((folder) => ['--dir', folder]),
    ...read.flatMap(([from, to]) => ['--ro-bind', from, to]),
    ...write.flatMap(([from, to]) => ['--bind', from, to]),
    ...use.flatMap(([from, to]) => ['--dev-bind', from, to]),
    ...(directory === undefined ? [] : ['--chdir', directory]),
  ];
}

/** Ends with its parent; no terminal. */
const BOUND = ['--die-with-parent', '--new-session'];

/** `command` in namespaces of its own, the user's among them: any user may make these where the system allows it. */
export function inUserNamespace(bubblewrap: string, seen: Seen, command: readonly string[]): string[] {
  return [bubblewrap, '--unshare-all', ...BOUND, ...mounts(seen), ...command];
}

/** The same made by root itself; `command` still may become another user, and must: it is root but for that. */
export function inRootsNamespaces(bubblewrap: string, seen: Seen, command: readonly string[]): string[] {
  const apart = ['ipc', 'pid', 'net', 'uts', 'cgroup-try'].map((name) => `--unshare-${name}`);
  const capabilities = ['CAP_SETUID', 'CAP_SETGID', 'CAP_SETPCAP'].flatMap((name) => ['--cap-add', name]);
  return [bubblewrap, ...apart, '--cap-drop', 'ALL', ...capabilities, ...BOUND, ...mounts(seen), ...command];
}
