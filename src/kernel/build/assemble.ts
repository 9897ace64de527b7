/**
 * PTX that somebody else made, assembled: ptxas says whether it is right for the architecture and what each entry takes. Where there is no ptxas the PTX stands as it is:
 * the virtual GPU reads it by itself, and only resources are unknown.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { behindWall, runLimited } from '../../isolation/index.ts';
import type { Build } from '../types.ts';
import { expectSuccess, limits } from './build.ts';
import { readResources } from './diagnostics.ts';
import { findToolchain } from './toolchain.ts';

export interface AssembleRequest {
  ptx: string;
  /** e.g. `sm_90`. */
  arch: string;
  signal?: AbortSignal;
}

/** @throws BuildError with what ptxas says of it. */
export async function assemblePtx({ ptx, arch, signal }: AssembleRequest): Promise<Build> {
  const started = performance.now();
  const toolchain = await findToolchain();
  const compiler = toolchain
    ? `ptxas of ${toolchain.version}; the PTX was given`
    : 'none: the PTX was given, and ptxas was not found';
  const hash = createHash('sha256')
    .update(JSON.stringify([compiler, arch, ptx]))
    .digest('hex');
  const build = { hash, ptx, arch, compiler, cached: false };
  if (!toolchain) return { ...build, cubin: '', resources: [], milliseconds: 0 };
  const directory = await mkdtemp(join(tmpdir(), 'assay-build-'));
  try {
    await writeFile(join(directory, 'candidate.ptx'), ptx);
    const command = [toolchain.ptxas, '-v', `-arch=${arch}`, '-o', 'candidate.cubin', 'candidate.ptx'];
    const walled = await behindWall(command, directory, [toolchain.root, dirname(toolchain.ptxas)]);
    const path = [dirname(toolchain.ptxas), '/usr/bin', '/bin'].join(':');
    const report = expectSuccess(await runLimited(walled, directory, path, limits, signal));
    const cubin = (await readFile(join(directory, 'candidate.cubin'))).toString('base64');
    return { ...build, cubin, resources: readResources(report), milliseconds: performance.now() - started };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
