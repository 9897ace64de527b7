/**
 * The walls that this system can put around a Node program, the highest first: bubblewrap (files, network, other processes), namespaces made by
 * `unshare` (network, other processes), or none. Where we are root the program has a user of its own too. Tried once a process.
 */
import { release } from 'node:os';
import { inRootsNamespaces, inUserNamespace, type Seen, systemProgram } from './bubblewrap.ts';
import { asUser, drawUser, isRoot, readableByAll, usableByAll } from './own-user.ts';
import { fromSource, loaderCache, programFiles } from './program-files.ts';
import { runs } from './wall.ts';

/** What a wall keeps a program from. */
export type Kept =
  /** Files other than those it is given. */
  | 'files'
  | 'network'
  /** Other processes. */
  | 'processes'
  /** The rights of the user who started it. */
  | 'user';

/** How a command is started. */
export interface Enclosed {
  readonly command: readonly string[];
  /** The user that `spawn` itself must make of it. */
  readonly user?: number;
  /** What it is in, where that is less than its enclosure's name says. */
  readonly name?: string;
}

export interface Enclosure {
  /** For people: `bubblewrap`. */
  readonly name: string;
  readonly keepsFrom: readonly Kept[];
  /** The number of processes can be limited: it is counted for this program alone. */
  readonly countsProcesses: boolean;
  enclose(command: readonly string[], seen: Seen): Enclosed;
}

/** Linux counts the processes of each user namespace apart since 5.14; before, all that a user has anywhere. */
function countsByNamespace(): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return major > 5 || (major === 5 && minor >= 14);
}

const seenBy = (seen: Seen, readable: readonly string[], user: number): Seen => ({
  ...seen,
  readable: [...readable, ...(seen.readable ?? [])],
  renamed: [...(seen.renamed ?? []), ...loaderCache(user)],
});

function candidates(): Enclosure[] {
  const [bubblewrap, setpriv, unshare] = ['bwrap', 'setpriv', 'unshare'].map(systemProgram);
  const files = programFiles();
  const found: Enclosure[] = [];
  const root = isRoot();
  if (bubblewrap && setpriv && root && files.every((file) => readableByAll(file, false))) {
    found.push({
      name: 'bubblewrap, and a user of its own',
      keepsFrom: ['files', 'network', 'processes', 'user'],
      countsProcesses: true,
      enclose: (command, seen) => {
        const user = drawUser();
        // Devices that root alone may use: it stays root there, of a namespace without any rights outside.
        if (seen.devices?.some((device) => !usableByAll(device)))
          return { command: inUserNamespace(bubblewrap, seenBy(seen, files, 0), command), name: 'bubblewrap' };
        return { command: inRootsNamespaces(bubblewrap, seenBy(seen, files, user), asUser(setpriv, user, command)) };
      },
    });
  }
  if (bubblewrap) {
    found.push({
      name: 'bubblewrap',
      keepsFrom: ['files', 'network', 'processes'],
      countsProcesses: !root && countsByNamespace(),
      enclose: (command, seen) => ({
        command: inUserNamespace(bubblewrap, seenBy(seen, files, process.geteuid?.() ?? 0), command),
      }),
    });
  }
  // From source a program under another number has no cache, and leaves one.
  const ownUser = root && !fromSource && files.every((file) => readableByAll(file, true));
  const user: readonly Kept[] = ownUser ? ['user'] : [];
  if (unshare) {
    const apart = ['--net', '--ipc', '--uts', '--pid', '--fork', '--kill-child', '--mount-proc'];
    found.push({
      name: `namespaces${ownUser ? ', and a user of its own' : ''}`,
      keepsFrom: ['network', 'processes', ...(setpriv ? user : [])],
      countsProcesses: ownUser || (!root && countsByNamespace()),
      enclose: (command) => ({
        command: [
          ...[unshare, ...(root ? [] : ['--user', '--map-current-user']), ...apart],
          ...(ownUser && setpriv ? asUser(setpriv, drawUser(), command) : command),
        ],
      }),
    });
  }
  found.push({
    name: ownUser ? 'a user of its own' : 'none',
    keepsFrom: user,
    countsProcesses: ownUser,
    enclose: (command) => ({ command, user: ownUser ? drawUser() : undefined }),
  });
  return found;
}

async function firstThatWorks(): Promise<Enclosure> {
  const all = candidates();
  for (const each of all.slice(0, -1)) {
    if (await runs(each.enclose([process.execPath, '--version'], {}).command)) return each;
  }
  return all.at(-1)!;
}

let standing: Promise<Enclosure> | undefined;

/** The highest that works here, with Node behind it. */
export function standingEnclosure(): Promise<Enclosure> {
  standing ??= firstThatWorks();
  return standing;
}
