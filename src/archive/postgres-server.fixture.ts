/** A PostgreSQL server of a test's own: in a temporary folder, reached by a socket there, gone with the test. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface PostgresServer {
  /** Address of a new, empty database. */
  newDatabase(): string;
  stop(): void;
}

/** Debian keeps the server's programs out of the PATH. */
function programs(): string | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...versions.map((version) => join(debian, version, 'bin')), ...(process.env.PATH ?? '').split(':')];
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'pg_ctl')));
}

/** Why there is no server to test with, or false where there is one. */
export const noPostgres: string | false = programs() === undefined && 'PostgreSQL is not installed';

export function startPostgres(): PostgresServer {
  const bin = programs()!;
  const folder = mkdtempSync(join(tmpdir(), 'assay-postgres-'));
  // PostgreSQL refuses to run as root; `nobody` has this number everywhere.
  const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  if (nobody.uid !== undefined) chownSync(folder, nobody.uid, nobody.gid);
  const run = (program: string, ...parameters: string[]) => {
    execFileSync(join(bin, program), parameters, { ...nobody, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  };
  const data = join(folder, 'data');
  const settings = `-c listen_addresses='' -c fsync=off -c unix_socket_directories='${folder}'`;
  run('initdb', '-D', data, '-U', 'assay', '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C');
  run('pg_ctl', '-D', data, '-w', '-o', settings, '-l', join(folder, 'log'), 'start');
  let count = 0;
  return {
    newDatabase() {
      const name = `archive${++count}`;
      run('createdb', '-h', folder, '-U', 'assay', name);
      return `postgres://assay@${encodeURIComponent(folder)}/${name}`;
    },
    stop() {
      spawnSync(join(bin, 'pg_ctl'), ['-D', data, '-w', '-m', 'immediate', 'stop'], { ...nobody, cwd: folder });
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
