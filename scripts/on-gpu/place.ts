/** Where the stages run and where their results go: a real GPU and results/, or the fake driver and a temporary folder that says so. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  buildFakeDriver,
  type CudaDevice,
  cCompiler,
  createCudaDevice,
  type FakeDriver,
  recognise,
} from '../../src/device/index.ts';
import { type GpuTarget, gpuTarget } from '../../src/vgpu/index.ts';

export interface Place {
  /** Number of the GPU. */
  readonly gpu: number;
  readonly device: CudaDevice;
  /** Nothing here is a measurement. */
  readonly simulated: boolean;
  readonly fake?: FakeDriver;
  /** The table's entry; what candidates are compiled for. */
  readonly target: GpuTarget;
  /** Why there is no floor, where the GPU is not in the table. */
  readonly unknown?: string;
  /** Results. */
  readonly folder: string;
  /** Compiled code, traces: removed in the end. */
  readonly cache: string;
  /** Only cases whose name contains it, and no more than this of a kind. */
  readonly filter: string;
  readonly most: number;
  write(name: string, content: object): void;
  close(): Promise<void>;
}

export interface Stage {
  readonly name: string;
  readonly purpose: string;
  run(place: Place): Promise<{ passed: boolean; content: object; words: string }>;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Opens the GPU, or the fake driver where ASSAY_FAKE_CUDA is set. @throws with a sentence that says what is missing */
export async function openPlace({ gpu, filter, most }: { gpu: number; filter: string; most: number }): Promise<Place> {
  const pretend = (process.env.ASSAY_FAKE_CUDA ?? '') !== '';
  const compiler = pretend ? cCompiler() : undefined;
  if (pretend && !compiler) throw new Error('ASSAY_FAKE_CUDA needs a C compiler (gcc).');
  const built = compiler ? await buildFakeDriver(compiler) : undefined;
  const fake = built && { library: built.library };
  const device = await createCudaDevice({ gpu, fake });
  const found = recognise(device.identity);
  const arch = `sm_${device.identity.capability.join('')}`;
  const cache = mkdtempSync(join(tmpdir(), 'assay-on-gpu-cache-'));
  const date = new Date().toISOString().slice(0, 10);
  const slug = device.identity.name.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  // What a fake driver shows never lies where measurements do.
  const folder = device.simulated
    ? mkdtempSync(join(tmpdir(), 'assay-on-gpu-FAKE-'))
    : join(root, 'results', `${date}-${slug}`);
  mkdirSync(folder, { recursive: true });
  const common = {
    device: device.name,
    identity: device.identity,
    date,
    node: process.versions.node,
    ...(device.simulated
      ? { simulated: true, warning: 'Made with a fake driver. Nothing in this file is a measurement.' }
      : { simulated: false }),
  };
  return {
    ...{ gpu, device, simulated: device.simulated, fake, folder, cache, filter, most },
    // An unknown GPU is judged on as the first of its architecture, without a floor.
    target: 'target' in found ? found.target : firstOf(arch),
    ...('unknown' in found ? { unknown: found.unknown } : {}),
    write: (name, content) =>
      writeFileSync(
        join(folder, `${name}.json`),
        `${JSON.stringify({ stage: name, ...common, ...content }, null, 1)}\n`,
      ),
    close: async () => {
      await device.close();
      built?.remove();
      rmSync(cache, { recursive: true, force: true });
    },
  };
}

function firstOf(arch: string): GpuTarget {
  const ids = ['h100', 'a100', 'l4', 't4', 'b200'];
  const target = ids.map(gpuTarget).find((each) => each.arch === arch);
  if (!target)
    throw new Error(`No GPU of the architecture ${arch} is in the table (src/vgpu/model/targets.ts): add it first.`);
  return target;
}
