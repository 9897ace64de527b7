/** `--device`: the virtual GPU alone, or a real one beside it, and what is taken there. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Archive, openArchive } from '../archive/index.ts';
import { mayHaveGpu, type OpenedGpu, openGpu, targetOf } from '../device/index.ts';
import { builtinBest } from '../engineer/index.ts';
import { type BaselineKind, baselineKinds, type Hardware, timesOnGpu } from '../judge/index.ts';
import { type GpuTarget, gpuTargets } from '../vgpu/index.ts';
import type { Places } from './places.ts';

/** `auto`: GPU 0 where there is one. */
export type DeviceChoice = 'auto' | 'virtual' | { readonly cuda: number };

export interface DeviceOptions {
  /** Target GPU's id; absent: the GPU that is used, else `h100`. */
  gpu?: string;
  device: DeviceChoice;
  times: boolean;
  tools: boolean;
  baselines: readonly BaselineKind[];
}

const DEFAULT_TARGET = 'h100';

/** Adds the options to a command. */
export function withDevice(command: Command): Command {
  return command
    .addOption(
      new Option('--gpu <id>', `target GPU (default: the one that is used, else ${DEFAULT_TARGET})`).choices(
        gpuTargets.map(({ id }) => id),
      ),
    )
    .addOption(
      new Option('--device <where>', '`virtual`, or `cuda` (`cuda:1` for the second GPU) to run and time on a GPU too')
        .argParser(deviceChoice)
        .default('auto', 'cuda where a GPU is found, else virtual'),
    )
    .option('--no-times', 'take no times on the GPU')
    .option('--no-tools', "do not have NVIDIA's compute-sanitizer and Nsight Compute look at a right kernel")
    .addOption(
      new Option('--baselines <list>', `what a kernel must be faster than: ${baselineKinds.join(',')}`)
        .argParser(baselineList)
        .default(baselineKinds, 'all that can be had'),
    );
}

function deviceChoice(text: string): DeviceChoice {
  if (text === 'auto' || text === 'virtual') return text;
  const [, number = '0'] = /^cuda(?::(\d{1,3}))?$/.exec(text) ?? [];
  if (!text.startsWith('cuda') || (text !== 'cuda' && !/^cuda:\d{1,3}$/.test(text)))
    throw new InvalidArgumentError('It is `virtual`, `cuda`, `cuda:1` for the second GPU, or `auto`.');
  return { cuda: Number(number) };
}

function baselineList(text: string): BaselineKind[] {
  return text.split(',').map((name) => {
    const kind = baselineKinds.find((each) => each === name.trim());
    if (!kind) throw new InvalidArgumentError(`There is no baseline ${name}; there are ${baselineKinds.join(', ')}.`);
    return kind;
  });
}

/** The devices of one command. */
export interface Devices {
  /** Target GPU's id. */
  readonly gpu: string;
  /** Which devices are used, and why, in a sentence. */
  readonly words: string;
  /** For the judge. */
  readonly hardware?: Hardware;
  close(): Promise<void>;
}

/** Opens what was asked for. @throws a sentence where a GPU was asked for and cannot be had */
export async function openDevices(options: DeviceOptions, places: Places, signal: AbortSignal): Promise<Devices> {
  const { device, gpu } = options;
  const virtual = (why: string): Devices => ({
    gpu: gpu ?? DEFAULT_TARGET,
    words: `On the virtual GPU${why}: nothing is measured.`,
    close: async () => undefined,
  });
  if (device === 'virtual') return virtual('');
  if (device === 'auto' && !mayHaveGpu()) return virtual(' (no NVIDIA GPU was found here)');
  let opened: OpenedGpu;
  try {
    opened = await openGpu(device === 'auto' ? 0 : device.cuda, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (device !== 'auto') throw error;
    return virtual(` (there seems to be a GPU, but it cannot be used: ${(error as Error).message})`);
  }
  try {
    return await withGpu(opened, options, places);
  } catch (error) {
    await opened.close();
    throw error;
  }
}

async function withGpu(opened: OpenedGpu, options: DeviceOptions, places: Places): Promise<Devices> {
  const { target, unknown } = targetOf(opened.device.identity);
  if (options.gpu !== undefined && options.gpu !== target.id)
    throw new Error(
      `--gpu ${options.gpu} is another GPU than the one here (${opened.device.name}: ${target.id}). Leave --gpu out, or ask for --device virtual.`,
    );
  const floorOf: GpuTarget | undefined = unknown === undefined ? target : undefined;
  const { baselines, times } = options;
  const hardware: Hardware = {
    gpu: opened,
    tools: options.tools,
    ...(times
      ? {
          times: (task, oracle) =>
            timesOnGpu({
              ...{ gpu: opened, task, oracle, target: floorOf, baselines, folder: places.torch },
              builtin: (at) =>
                fromArchive(places, (archive) => builtinBest(archive, at, target, places.builds, opened.device.name)),
            }),
        }
      : {}),
  };
  return {
    gpu: target.id,
    words: `On the virtual GPU, which alone sees races, uninitialised reads and the like, and on ${opened.device.name}.${unknown === undefined ? '' : ` ${unknown}`}`,
    hardware,
    close: () => opened.close(),
  };
}

async function fromArchive<T>(places: Places, ask: (archive: Archive) => Promise<T>): Promise<T> {
  const archive = await openArchive(places.home);
  try {
    return await ask(archive);
  } finally {
    await archive.close();
  }
}
