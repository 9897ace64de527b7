/** Which GPU a command uses: the one that was asked for, one that is there, or none. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type CudaDevice, createCudaDevice } from './cuda-device.ts';
import type { FakeDriver } from './cuda-process.ts';
import { buildFakeDriver, cCompiler } from './fake/build-fake.ts';

/** Files that a machine with NVIDIA's driver has: Linux, and WSL. */
const DRIVER_FILES = ['/dev/nvidiactl', '/dev/dxg'] as const;

/** An open GPU and what other processes need to open it too. */
export interface OpenedGpu {
  readonly device: CudaDevice;
  readonly gpu: number;
  readonly fake?: FakeDriver;
  close(): Promise<void>;
}

/** Whether it is worth the time to try to open a GPU. */
export function mayHaveGpu(): boolean {
  return DRIVER_FILES.some((file) => existsSync(file));
}

/**
 * Opens a GPU by its number; the fake driver's where ASSAY_FAKE_CUDA names its library, or is `1` and there is a C compiler to build it.
 * @throws NoDriver with a sentence that says what is missing.
 */
export async function openGpu(gpu: number, signal?: AbortSignal): Promise<OpenedGpu> {
  const { fake, remove } = await fakeOfEnvironment();
  try {
    const device = await createCudaDevice({ gpu, fake }, signal);
    const close = async () => {
      await device.close();
      remove();
    };
    return { device, gpu, fake, close };
  } catch (error) {
    remove();
    throw error;
  }
}

async function fakeOfEnvironment(): Promise<{ fake?: FakeDriver; remove: () => void }> {
  const said = process.env.ASSAY_FAKE_CUDA ?? '';
  if (said === '') return { remove: () => undefined };
  // The fake's own settings go where it is: its process has no other environment.
  const environment = Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      /^ASSAY_FAKE_(?!CUDA$)/.test(name) && value !== undefined ? [[name, value]] : [],
    ),
  );
  const written = (['ASSAY_FAKE_LOG', 'ASSAY_FAKE_CONTEXTS'] as const).flatMap((name) => environment[name] ?? []);
  const writes = written.map((file) => resolve(file));
  if (said !== '1') return { fake: { library: resolve(said), environment, writes }, remove: () => undefined };
  const compiler = cCompiler();
  if (!compiler) throw new Error('ASSAY_FAKE_CUDA=1 needs a C compiler (gcc) to build the fake driver with.');
  const { library, contexts, remove } = await buildFakeDriver(compiler);
  return {
    fake: {
      library,
      environment: { ASSAY_FAKE_CONTEXTS: contexts, ...environment },
      writes: [contexts, ...writes],
    },
    remove,
  };
}
