/**
 * A program that runs one plan once and ends: what NVIDIA's tools are given to look at. It is told everything in its first argument, and writes how the run ended to a file; what
 * the kernels print goes to its standard output, which nobody reads.
 */
import { writeFileSync } from 'node:fs';
import type { RunRequest } from '../../types.ts';
import { Driver } from '../driver/driver.ts';
import { type Packed, unpack } from '../exchange.ts';
import { CudaGpu } from '../gpu.ts';
import { runPlan } from '../run-plan.ts';

export interface LauncherSettings {
  readonly ordinal: number;
  readonly cudaLibrary: string;
  readonly request: Packed;
  /** File for {@link Launched}, as JSON. */
  readonly answer: string;
}

/** How the run ended; `message` unless it completed. */
export interface Launched {
  readonly status: string;
  readonly message?: string;
}

async function main({ ordinal, cudaLibrary, request, answer }: LauncherSettings): Promise<void> {
  const driver = new Driver(cudaLibrary);
  if (driver.simulated) (await import('../fake/fake-gpu.ts')).attachFakeGpu(driver);
  const gpu = new CudaGpu(driver, ordinal);
  const { result } = runPlan({ gpu, printed: () => '' }, unpack(request) as RunRequest);
  gpu.close();
  const launched: Launched = { status: result.status, ...('message' in result ? { message: result.message } : {}) };
  writeFileSync(answer, JSON.stringify(launched));
}

const settings = process.argv[2];
// Without settings the file is only loaded, to see that it can be.
if (settings !== undefined) {
  void main(JSON.parse(settings) as LauncherSettings).catch((error: Error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  });
}
