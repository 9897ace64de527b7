/**
 * NVIDIA's CUTLASS, where this machine has it: headers (`cutlass/`, `cute/`) that device code may include besides CUDA's. Where: ASSAY_CUTLASS (a checkout, or its
 * include folder), else the usual folders of the system.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Cutlass {
  /** The folder in which `cutlass/` and `cute/` lie. */
  folder: string;
  /** Tells versions apart: SHA-256 of `cutlass/version.h`, hex. */
  version: string;
}

/** Whether a header's name is one of CUTLASS's. */
export function isCutlassHeader(name: string): boolean {
  return name.startsWith('cutlass/') || name.startsWith('cute/');
}

/** Whether device code includes a header of CUTLASS. */
export function includesCutlass(source: string): boolean {
  return /^[ \t]*#[ \t]*include[ \t]*[<"](cutlass|cute)\//m.test(source);
}

/** CUTLASS's headers, if they are found. */
export function findCutlass(): Cutlass | undefined {
  const own = process.env.ASSAY_CUTLASS;
  const folders = own ? [own, join(own, 'include')] : ['/usr/include', '/usr/local/include'];
  const folder = folders.find((each) => existsSync(join(each, 'cutlass', 'version.h')));
  if (folder === undefined) return undefined;
  const version = createHash('sha256')
    .update(readFileSync(join(folder, 'cutlass', 'version.h')))
    .digest('hex');
  return { folder, version };
}
