/**
 * A real GPU beside the virtual one. A candidate that the virtual GPU finds right (races, uninitialised reads and accesses next to a buffer are seen there alone) makes the same
 * calls on the GPU, is asked the checks that can be asked there, and is timed there.
 */
import type { CudaDevice, OpenedGpu } from '../device/index.ts';
import type { PreparedCandidate } from '../kernel/index.ts';
import { type FullTask, graphOperations, type Task } from '../task/index.ts';
import type { Oracle } from './oracle.ts';
import { createOracle } from './task-oracle.ts';
import type { TimingSetup } from './timed.ts';

export interface Hardware {
  readonly gpu: OpenedGpu;
  /** How times of a task are taken there; absent: none are. */
  readonly times?: (task: Task, oracle: Oracle) => TimingSetup;
  /** Whether NVIDIA's tools look at a candidate that is right, and counters say what limits it. It takes a minute. */
  readonly tools?: boolean;
}

/** What the evidence says of a GPU that a candidate ran on. */
export interface HardwareFacts {
  readonly name: string;
  /** The driver is the fake one: nothing that was seen there is of a GPU. */
  readonly simulated: boolean;
  readonly uuid: string;
  readonly capability: readonly [major: number, minor: number];
  readonly multiprocessors: number;
  readonly cuda: string;
  readonly driver?: string;
  /** The wall around the process that has it open; the evidence says it with the other walls. */
  readonly wall?: string;
  /** Calls made there to see whether the candidate is right, besides timed ones. */
  readonly calls: number;
  /** What the GPU's counters, or times of variants, say of the candidate. */
  readonly profile?: HardwareProfile;
}

/** By whom, and what; or why there is none, in a sentence. */
export interface HardwareProfile {
  readonly by: string;
  readonly words: readonly string[];
}

export function hardwareFacts(
  { name, simulated, identity, driverVersion, wall }: CudaDevice,
  calls: number,
): HardwareFacts {
  const { uuid, capability, multiprocessors, cuda } = identity;
  return { name, simulated, uuid, capability, multiprocessors, cuda, driver: driverVersion, wall, calls };
}

/** Operations of a task whose reference is computed in a second or so: calls that are timed are compared with it. */
const MOST_OPERATIONS = 1e9;

/** What is timed: the candidate at some shapes of the task, with what is right there. */
export interface TimedForm {
  readonly task: Task;
  readonly candidate: PreparedCandidate;
  readonly oracle: Oracle;
}

/**
 * A task that was made smaller for the virtual GPU is timed at its file's own shapes, where what is right for them can be computed; else at those that were judged, and the
 * claim says which.
 */
export async function formToTime(
  judged: TimedForm,
  full: (FullTask & { prepare: (task: Task) => Promise<PreparedCandidate> }) | undefined,
): Promise<TimedForm> {
  if (full === undefined) return judged;
  const { arithmetic, special, contraction } = graphOperations(full.task.graph);
  if (arithmetic + special + contraction > MOST_OPERATIONS) return judged;
  return { task: full.task, candidate: await full.prepare(full.task), oracle: createOracle(full.task) };
}
