/**
 * A launch under the race filter. Compiled code stamps what it accesses and stops at the first access that it cannot
 * prove harmless; then all that the launch may have written is put back, and the interpreter decides from the start. So
 * the filter may be too strict, which costs time, but must never be too lenient.
 *
 * The same is done for every other finding: where code goes wrong, the order in which its threads ran decides what is seen
 * first, and the interpreter's order is the one that counts.
 */
import { CannotRun, type LaunchContext, NeedsInterpreter, type RunResult } from '../../executable.ts';
import { FindingSink } from '../../findings.ts';
import type { Allocation, DeviceMemory } from '../../memory.ts';
import { type FaultReporter, LaunchStopped } from '../faults.ts';
import type { RacePlan } from './plan.ts';

/** Where a launch's global stamps lie. */
export interface GlobalStamps {
  /** All of them, for a sweep. */
  readonly words: Uint32Array;
  /** What to add to a place in memory, scaled, modulo 2^32. */
  readonly delta: number;
}

/**
 * Runs a launch with stamps. Throws {@link NeedsInterpreter}, with memory as it was, for whatever the interpreter has to
 * decide, and a {@link CannotRun} when there is no room for stamps.
 */
export function runFiltered(
  plan: RacePlan,
  globalScale: number,
  context: LaunchContext,
  run: (context: LaunchContext, stamps: GlobalStamps | undefined) => RunResult,
): RunResult {
  const { memory } = context;
  const areas: Allocation[] = [];
  try {
    const stamps = globalStamps(memory, plan.stamped, globalScale, areas);
    const restore = snapshot(memory, plan.written, areas);
    const findings = new FindingSink(context.kernel.name);
    const printed: string[] = [];
    try {
      const doubt = (reason: string): never => {
        throw new RaceSuspected(reason);
      };
      const inner = { ...context, findings, doubt, stopAtFault: true, print: (text: string) => printed.push(text) };
      const result = run(inner, stamps);
      const found = findings.list();
      if (found.some(({ kind }) => kind !== 'budget-exceeded')) throw new RaceSuspected(found[0]!.message);
      for (const { kind, message } of found) context.findings.report({ kind, message, instruction: undefined });
      for (const text of printed) context.print(text);
      return result;
    } catch (error) {
      restore();
      memory.written?.clear();
      if (error instanceof RaceSuspected)
        throw new NeedsInterpreter(`the interpreter must decide whether this is a fault: ${error.message}`);
      throw error;
    }
  } finally {
    for (const area of areas.reverse()) memory.release(area);
  }
}

/**
 * Runs a launch of a kernel whose faults compiled code cannot always tell (doubts.ts), and which may write `written`. Throws {@link NeedsInterpreter}, with
 * memory as it was, when such a case has arisen. Without room for a copy compiled code has the last word.
 */
export function runDoubtful(
  context: LaunchContext,
  written: readonly Allocation[],
  run: (context: LaunchContext) => RunResult,
): RunResult {
  const { memory } = context;
  const areas: Allocation[] = [];
  try {
    const restore = attempt(() => snapshot(memory, written, areas));
    if (restore instanceof CannotRun) return run(context);
    const findings = new FindingSink(context.kernel.name);
    const printed: string[] = [];
    const doubt = (reason: string): never => {
      throw new RaceSuspected(reason);
    };
    try {
      const result = run({ ...context, findings, doubt, print: (text) => printed.push(text) });
      context.findings.take(findings);
      for (const text of printed) context.print(text);
      return result;
    } catch (error) {
      if (!(error instanceof RaceSuspected)) throw error;
      restore();
      memory.written?.clear();
      throw new NeedsInterpreter(`the interpreter must decide whether this is a fault: ${error.message}`);
    }
  } finally {
    for (const area of areas.reverse()) memory.release(area);
  }
}

function attempt<T>(make: () => T): T | CannotRun {
  try {
    return make();
  } catch (error) {
    if (error instanceof CannotRun) return error;
    throw error;
  }
}

/** Ends compiled code: an access that may be part of a race, or another fault. */
export class RaceSuspected extends LaunchStopped {}

/** Thrown by an import of compiled code, which has seen a stamp that does not go with an access. */
export function suspect(reporter: FaultReporter, stamp: number, own: number): never {
  const thread = (own >>> 3) & 0x3ff;
  throw new RaceSuspected(
    `${reporter.who(thread)} meets an access that is not known to be ordered before its own (stamps 0x${(stamp >>> 0).toString(16)} and 0x${(own >>> 0).toString(16)}).`,
  );
}

/** Reserves an area of launch areas' kind, without shadow. */
function reserve(memory: DeviceMemory, bytes: number, what: string, areas: Allocation[]): Allocation {
  try {
    const area = memory.allocate(bytes, { name: what, internal: true, bare: true });
    areas.push(area);
    return area;
  } catch (error) {
    if (error instanceof RangeError) throw new CannotRun(`there is no room for ${what}: ${error.message}`);
    throw error;
  }
}

/** Stamps that one addition finds for every place a legal access can have; only the pages that are used cost anything. */
function globalStamps(
  memory: DeviceMemory,
  stamped: readonly Allocation[],
  scale: number,
  areas: Allocation[],
): GlobalStamps | undefined {
  if (stamped.length === 0) return undefined;
  const legal = memory.allocations.filter((item) => item.allowed);
  const low = Math.min(...legal.map(({ base }) => base));
  const high = Math.max(...legal.map(({ base, bytes }) => base + bytes + 16));
  const area = reserve(memory, (high - low) * 2 ** scale, 'race stamps', areas);
  for (const { base, bytes } of stamped) {
    const start = area.base + (base - low) * 2 ** scale;
    memory.u8.fill(0, start, start + Math.ceil(bytes / 4) * 4 * 2 ** scale);
  }
  return {
    words: memory.u32.subarray(area.base >>> 2, (area.base + area.bytes) >>> 2),
    delta: (area.base - low * 2 ** scale) | 0,
  };
}

/** Keeps what the launch may write, shadow and all, in device memory; the result puts it back. */
function snapshot(memory: DeviceMemory, written: readonly Allocation[], areas: Allocation[]): () => void {
  const kept = written.flatMap(({ base, bytes }) => {
    const shadow = Math.ceil(bytes / 4);
    const area = reserve(memory, bytes + shadow, 'a copy of what the launch may write', areas);
    return [
      { from: base, to: area.base, bytes },
      { from: base >>> 2, to: area.base + bytes, bytes: shadow },
    ];
  });
  for (const { from, to, bytes } of kept) memory.u8.copyWithin(to, from, from + bytes);
  return () => {
    for (const { from, to, bytes } of kept) memory.u8.copyWithin(from, to, to + bytes);
  };
}
