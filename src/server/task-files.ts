/** Task files that an agent names: under one folder and nowhere else, whatever the path says. */
import { realpathSync } from 'node:fs';
import { isAbsolute, relative, resolve, sep } from 'node:path';

/** The real path of a file under `root`. Throws a sentence for a file that is elsewhere or not there; links are followed first. */
export function taskFileUnder(root: string, path: string): string {
  let real: string;
  const base = realpathSync(root);
  try {
    real = realpathSync(resolve(base, path));
  } catch {
    throw new Error(`There is no file ${path} in the folder that this server works in.`);
  }
  const inside = relative(base, real);
  if (inside === '' || inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside))
    throw new Error(`${path} is outside of the folder that this server works in.`);
  return real;
}
