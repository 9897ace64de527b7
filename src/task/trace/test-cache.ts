/** For tests: an empty cache directory that starts with the interpreter's snapshot, which is made once and kept beside the installed packages. */
import { copyFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureSnapshot } from './sandbox.ts';

const kept = fileURLToPath(new URL('../../../node_modules/.cache/assay/', import.meta.url));

/** A new directory under the system's temporary one. The caller removes it. */
export async function testCache(): Promise<string> {
  const snapshot = await ensureSnapshot(kept);
  const directory = mkdtempSync(join(tmpdir(), 'assay-test-'));
  copyFileSync(snapshot, join(directory, basename(snapshot)));
  return directory;
}
