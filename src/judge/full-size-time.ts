/**
 * The modelled time of a candidate at the file's own shapes, where the task is judged at smaller ones: at those, launches cost more than work, and
 * which of two kernels is faster there says little. A few blocks of each launch stand for the whole: see the device room's sampled-profile.ts.
 */
import type { Device } from '../device/index.ts';
import { BuildError, CandidateError, type PreparedCandidate } from '../kernel/index.ts';
import { drawTiled, encode, type Floor, floor, type Task } from '../task/index.ts';
import { gpuTarget, type ModelledTime } from '../vgpu/index.ts';

/** Thread-instructions for the sampled blocks of one launch: seconds of interpreting, a minute for a block that multiplies thousands deep. */
const INSTRUCTIONS = 1e9;
const MILLISECONDS = 300_000;
/** Contents decide hardly anything about time; the same for all candidates, they make times comparable. */
const SEED = '5eed'.repeat(16);

/** What is known of a candidate's time at the task's own shapes. */
export interface FullSizeTime {
  /** Least time at these shapes. */
  floor: Floor;
  modelled?: ModelledTime;
  /** Why there is no modelled time. */
  notModelled?: string;
}

export interface FullSizeTimeOptions {
  /** At the file's own shapes. */
  task: Task;
  /** Interprets and compiles the candidate for them. */
  prepare: (task: Task) => Promise<PreparedCandidate>;
  device: Device;
  /** Id of the target GPU. */
  gpu: string;
  signal?: AbortSignal;
}

/** Models the time at the task's own shapes. Throws only for what is this program's fault. */
export async function fullSizeTime({ task, prepare, device, gpu, signal }: FullSizeTimeOptions): Promise<FullSizeTime> {
  const least = floor(task, gpuTarget(gpu));
  const unknown = (notModelled: string): FullSizeTime => ({ floor: least, notModelled });
  if (!device.profile) return unknown(`${device.name} does not profile launches in part`);
  let candidate: PreparedCandidate;
  try {
    candidate = await prepare(task);
  } catch (error) {
    if (!(error instanceof CandidateError) && !(error instanceof BuildError)) throw error;
    return unknown(`the candidate could not be prepared for these shapes: ${error.message}`);
  }
  const contents = contentsOf(task);
  if (typeof contents === 'string') return unknown(contents);
  const { plan, build } = candidate;
  const limits = { milliseconds: MILLISECONDS, instructions: INSTRUCTIONS };
  const result = await device.profile({ plan, build, gpu, contents, limits }, signal);
  return result.status === 'completed' ? { floor: least, modelled: result.modelled } : unknown(result.message);
}

const drawn = new WeakMap<Task, readonly Uint8Array[] | string>();

/** Patterns of the arguments, as bytes; a sentence where they cannot be had. */
function contentsOf(task: Task): readonly Uint8Array[] | string {
  const known = drawn.get(task);
  if (known !== undefined) return known;
  const tiled = drawTiled(task.graph, SEED);
  const contents = typeof tiled === 'string' ? tiled : tiled.map(({ pattern }) => encode(pattern));
  drawn.set(task, contents);
  return contents;
}
