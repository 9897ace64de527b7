/**
 * What the race filter must watch in one launch: which allocations the kernel may write, and by which pointers they may be
 * reached. Everything else is only read, and cannot race.
 */
import type { LaunchContext } from '../../executable.ts';
import type { Allocation } from '../../memory.ts';
import { COLOURS, GLOBAL_TAG } from '../../memory-layout.ts';
import type { Instruction, Variable } from '../../ptx/ir.ts';
import { CannotCompile } from '../cannot-compile.ts';
import type { FlatKernel } from '../flatten.ts';
import { type PointerOrigins, pointerOrigins } from './origins.ts';
import type { RaceOptions } from './stamps.ts';

export interface RacePlan {
  readonly options: RaceOptions;
  /** Equal for launches that the same code serves. */
  readonly key: string;
  /** Put back before the interpreter decides. */
  readonly written: readonly Allocation[];
  /** Allocations with stamps, at least those written. */
  readonly stamped: readonly Allocation[];
}

/** Kinds of instructions that the filter understands: those that touch memory are stamped, the others touch none. */
const KNOWN = new Set<Instruction['kind']>([
  'arithmetic',
  'compare',
  'convert',
  'move',
  'memory',
  'atomic',
  'control',
  'barrier',
  'warp',
  'fence',
  'system',
]);
/** External functions that neither reserve memory nor write any. */
const HARMLESS = new Set(['vprintf', '__assertfail']);

/** The first instruction, if any, with accesses that are not seen here. */
function unknownIn(kernel: FlatKernel): Instruction | undefined {
  return kernel.instructions.find((instruction) => {
    const multiplication = instruction.kind === 'matrix' && instruction.operation === 'mma';
    const external = instruction.kind === 'control' ? instruction.call?.target : undefined;
    const harmless = external === undefined || (typeof external === 'string' && HARMLESS.has(external));
    return !((KNOWN.has(instruction.kind) || multiplication) && harmless);
  });
}

/** Allocations that a launch may write: all that it may touch, unless its pointers tell more. */
export function mayWrite(kernel: FlatKernel, context: LaunchContext): readonly Allocation[] {
  if (unknownIn(kernel) === undefined) return targetsIn(kernel, context).written;
  return context.memory.allocations.filter(({ allowed, readOnly, internal }) => allowed && !readOnly && !internal);
}

/** Where a launch's pointers point, and what it may write by them. */
function targetsIn(kernel: FlatKernel, context: LaunchContext) {
  const origins = pointerOrigins(kernel);
  const allowed = context.memory.allocations.filter((item) => item.allowed);
  const targets = origins.sources.map((source) => targetsOf(source, context) ?? allowed);
  const written = new Set<Allocation>();
  let stray = false;
  for (const instruction of kernel.instructions) {
    const sources = sourcesOf(instruction, origins);
    if (sources === null) continue;
    if (sources === undefined) stray = true;
    if (instruction.kind === 'memory' && instruction.op === 'ld') continue;
    const hit = sources === undefined ? allowed : sources.flatMap((source) => targets[source]!);
    for (const allocation of hit) if (!allocation.readOnly) written.add(allocation);
  }
  return { allowed, targets, written: [...written], stray };
}

/** What the filter watches in this launch. Throws {@link CannotCompile} when it would not see every access. */
export function planRaces(kernel: FlatKernel, context: LaunchContext): RacePlan {
  const unknown = unknownIn(kernel);
  if (unknown) throw new CannotCompile(`race detection with '${unknown.text}'`, unknown.line);
  if (!context.checked) throw new CannotCompile('race detection without checks', context.kernel.ptxLine);
  const { allowed, targets, written: list, stray } = targetsIn(kernel, context);
  const written = new Set(list);
  const stale = nonCoherentLoad(kernel, (source) => targets[source]!.some((item) => written.has(item)));
  if (stale) throw new CannotCompile(`race detection with '${stale.text}' of what the launch may write`, stale.line);
  const watched = targets.flatMap((hit, source) => (hit.some((item) => written.has(item)) ? [source] : []));
  const anywhere = written.size > 0;
  const stamped = stray ? allowed : [...new Set([...written, ...watched.flatMap((source) => targets[source]!)])];
  return {
    options: { written: new Set(watched), anywhere },
    key: `${watched.join('+')}/${anywhere}`,
    written: [...written],
    stamped: anywhere ? stamped : [],
  };
}

/** The first load through the read-only cache, if any, by a pointer into what the launch may write: no order makes it right, which stamps do not tell. */
function nonCoherentLoad(kernel: FlatKernel, isWritten: (source: number) => boolean): Instruction | undefined {
  const origins = pointerOrigins(kernel);
  return kernel.instructions.find(
    (one) => one.kind === 'memory' && one.nonCoherent && sourcesOf(one, origins)?.some(isWritten),
  );
}

/** Sources of an access's pointer: undefined for any, null for what is no access to global memory. */
function sourcesOf(instruction: Instruction, origins: PointerOrigins): readonly number[] | undefined | null {
  if (instruction.kind !== 'memory' && instruction.kind !== 'atomic') return null;
  if (instruction.space !== 'global' && instruction.space !== 'generic') return null;
  const address = instruction.src[0];
  return address?.kind === 'address' ? origins.of(address.base) : undefined;
}

/** Allocations that pointers in a parameter, or to a variable, point into; undefined for one that strays from all. */
function targetsOf(source: number | Variable, context: LaunchContext): readonly Allocation[] | undefined {
  const { memory, kernel, module } = context;
  if (typeof source !== 'number') {
    const allocation = module.allocations.get(source);
    return allocation ? [allocation] : undefined;
  }
  const parameter = kernel.params[source]!;
  if (parameter.kind !== 'variable') return undefined;
  const { offset, bytes } = parameter.variable;
  const view = new DataView(memory.u8.buffer, context.paramBase + offset, bytes);
  const found: Allocation[] = [];
  for (let at = 0; at + 8 <= bytes; at += 8) {
    const word = view.getBigUint64(at, true);
    const tag = Number(word >> 32n) - GLOBAL_TAG;
    if (tag < 1 || tag > COLOURS) continue;
    const allocation = memory.find(word);
    if (allocation === undefined) return undefined;
    if (allocation.allowed) found.push(allocation);
  }
  return found;
}
