/**
 * PTX that somebody else made, assembled: ptxas says whether it is right for the architecture and what each entry takes. Where there is no ptxas the PTX stands as it is:
 * the virtual GPU reads it by itself, and only resources are unknown.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Build } from '../types.ts';
import { assemble, ptxFile } from './build.ts';
import { findCompilers } from './toolchain.ts';

export interface AssembleRequest {
  ptx: string;
  /** e.g. `sm_90`. */
  arch: string;
  signal?: AbortSignal;
}

/** @throws BuildError with what ptxas says of it. */
export async function assemblePtx({ ptx, arch, signal }: AssembleRequest): Promise<Build> {
  const started = performance.now();
  const { ptxas, headers } = await findCompilers();
  const compiler = ptxas
    ? `ptxas, ${ptxas.version}; the PTX was given`
    : 'none: the PTX was given, and ptxas was not found';
  const hash = createHash('sha256')
    .update(JSON.stringify([compiler, arch, ptx]))
    .digest('hex');
  const build = { hash, ptx, arch, compiler, cached: false };
  if (!ptxas) return { ...build, cubin: '', resources: [], milliseconds: 0 };
  const directory = await mkdtemp(join(tmpdir(), 'assay-build-'));
  try {
    await writeFile(join(directory, ptxFile), ptx);
    const root = headers?.root ?? dirname(ptxas.path);
    const assembled = await assemble({ ptxas: ptxas.path, root, directory, arch, signal });
    return { ...build, ...assembled, milliseconds: performance.now() - started };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
