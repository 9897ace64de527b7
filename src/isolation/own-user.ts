/**
 * A user of its own for a process that root starts: no name, no home, no file of anybody's, and no other process that it could touch. The numbers are those that
 * systemd gives to services for the time they run (DynamicUser); two processes hardly ever share one.
 */
import { randomInt } from 'node:crypto';
import { statSync } from 'node:fs';
import { dirname } from 'node:path';

const [FIRST, LAST] = [61_184, 65_519];

export const isRoot = (): boolean => process.geteuid?.() === 0;

/** User and group by one number. */
export function drawUser(): number {
  return randomInt(FIRST, LAST + 1);
}

/** `command` as that user, without capabilities or a way to more. `setpriv` is that of util-linux. */
export function asUser(setpriv: string, user: number, command: readonly string[]): string[] {
  const none = ['--clear-groups', '--inh-caps=-all', '--bounding-set=-all', '--no-new-privs'];
  return [setpriv, `--reuid=${user}`, `--regid=${user}`, ...none, ...command];
}

/** Whether everybody may read a file or folder; `reach`: and everybody gets there, past all folders above it. */
export function readableByAll(path: string, reach: boolean): boolean {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode;
  if (mode === undefined || (mode & 0o004) === 0) return false;
  for (let folder = dirname(path); reach && folder !== '/'; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false;
  }
  return true;
}

/** Whether everybody may read and write a file. */
export function usableByAll(path: string): boolean {
  return ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o006) === 0o006;
}
