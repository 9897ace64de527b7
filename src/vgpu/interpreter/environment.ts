/** What the steps of a kernel share during one launch: memory, limits, findings, counters. */

import type { LaunchContext } from '../executable.ts';
import type { FaultSite } from '../findings.ts';
import type { SharedRegion } from '../loader.ts';
import type { DeviceMemory } from '../memory.ts';
import type { Instruction, Space, Variable } from '../ptx/ir.ts';
import { ownPlaceOf } from '../ptx/own-place.ts';
import type { Dim3 } from '../types.ts';
import type { Profiler } from './profiler.ts';
import type { RaceDetector } from './races.ts';
import { LANES } from './registers.ts';
import type { Warp } from './warp.ts';

/** Thrown to end a launch at a fault; the finding has been reported. */
export class LaunchStopped extends Error {
  constructor(reason: string) {
    super(`the launch was stopped: ${reason}`);
  }
}

export class Environment {
  readonly memory: DeviceMemory;
  launch!: LaunchContext;
  /** Bytes of a block's shared area, static and dynamic, with the red zones. */
  sharedBytes = 0;
  /** What of it variables own. */
  sharedRegions: readonly SharedRegion[] = [];
  /** The place of a shared variable; undefined for dynamic memory when the launch gives none. */
  regionOf: (variable: Variable) => SharedRegion | undefined = () => undefined;
  /** Bytes of shared memory that the block would have on a GPU. */
  sharedBytesNeeded = 0;
  dynamicSharedBytes = 0;
  /** Bytes of a thread's local area: frames of locals and call parameters. */
  localBytes = 0;
  paramBytes = 0;
  profiler: Profiler | undefined;
  races: RaceDetector | undefined;
  /** Accesses that wait for others (analysis/polling.ts). */
  readonly polling = new Set<Instruction>();
  /** Plain loads whose value a compare-and-swap checks (analysis/guesses.ts). */
  readonly guesses = new Set<Instruction>();
  /** Atomics that have changed memory so far. */
  atomicChanges = 0;
  /** Addresses of the current access by lane, as computed: low and high words. */
  readonly low = new Uint32Array(LANES);
  readonly high = new Uint32Array(LANES);
  /** Offsets in the WebAssembly memory that they resolve to. */
  readonly physical = new Uint32Array(LANES);

  constructor(memory: DeviceMemory) {
    this.memory = memory;
  }

  /** Position of a lane's thread in its block. */
  thread(warp: Warp, lane: number): Dim3 {
    const [x, y] = this.launch.block;
    const linear = warp.index * LANES + lane;
    return [linear % x, Math.floor(linear / x) % y, Math.floor(linear / (x * y))];
  }

  /** Reports a fault at a lane; ends the launch when the result is undefined from here on and the launch asks for it. */
  fault(warp: Warp, lane: number, site: Omit<FaultSite, 'block' | 'thread'>): void {
    this.launch.findings.report({ ...site, block: warp.block.position, thread: this.thread(warp, lane) });
    if (this.launch.stopAtFault) throw new LaunchStopped(site.message);
  }

  /** Reports something that leaves the result defined: never stops. */
  note(warp: Warp, lane: number, site: Omit<FaultSite, 'block' | 'thread'>): void {
    this.launch.findings.report({ ...site, block: warp.block.position, thread: this.thread(warp, lane) });
  }

  /** `thread (1, 2, 0) of block (0, 0, 0)`. */
  who(warp: Warp, lane: number): string {
    return `thread (${this.thread(warp, lane).join(', ')}) of block (${warp.block.position.join(', ')})`;
  }
}

/** The source line of an instruction in words, for messages. */
export function whereOf(instruction: Instruction): string {
  const source = ownPlaceOf(instruction.source);
  return source === undefined ? `PTX line ${instruction.line}` : `${source.file.split('/').at(-1)}:${source.line}`;
}

/** Tells the race detector, if there is one, of an ordinary access of all lanes of a mask. */
export function raceAccess(
  env: Environment,
  warp: Warp,
  mask: number,
  bytes: number,
  kind: 'read' | 'write',
  space: Space,
  at: Instruction,
): void {
  const { races } = env;
  if (races === undefined) return;
  for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
    if ((m & 1) !== 0) races.access(warp, l, bytes, kind, false, 'sys', space, at);
  }
  races.settle();
}
