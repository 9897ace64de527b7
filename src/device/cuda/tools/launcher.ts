/**
 * A program that runs one plan once and ends: what NVIDIA's tools are given to look at. It is told everything in its first argument, and writes how the run ended to a file; what
 * the kernels print goes to its standard output, which nobody reads.
 */
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import type { RunRequest } from '../../types.ts';
import { Driver } from '../driver/driver.ts';
import { unpack } from '../exchange.ts';
import { CudaGpu } from '../gpu.ts';
import { runPlan } from '../run-plan.ts';

export interface LauncherSettings {
  readonly ordinal: number;
  readonly cudaLibrary: string;
  /** File of the request's JSON, and file of its bytes. */
  readonly request: readonly [json: string, bytes: string];
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
  const [json, bytes] = request;
  const asked = unpack(JSON.parse(readFileSync(json, 'utf8')), openSync(bytes, 'r')) as RunRequest;
  const { result } = runPlan({ gpu, printed: () => '' }, asked);
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
