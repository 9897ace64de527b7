/** A kernel compiled for one block shape: the WebAssembly module and what is needed to run it. */
import type { LoadedModule } from '../loader.ts';
import type { Instruction, Operand } from '../ptx/ir.ts';
import type { Slot } from './arena.ts';
import { MAX_POINTS, WARP } from './arena.ts';
import { CannotCompile } from './cannot-compile.ts';
import { ACTION, emitDriver } from './driver.ts';
import { emitCollective } from './scalar/collective.ts';
import { emitRegion } from './scalar/region.ts';
import type { BarrierStop, Stop } from './scheduler.ts';
import { findSyncPoints, operandSource, type SyncPoint } from './syncpoints.ts';
import { type Analysis, type CompileOptions, Unit } from './unit.ts';
import type { FunctionBuilder } from './wasm/encoder.ts';
import { compileModule, type WasmModule } from './wasm/engine.ts';

export interface Program {
  readonly module: WasmModule;
  readonly imports: Readonly<Record<string, unknown>>;
  readonly sites: readonly Instruction[];
  /** By point number; the region itself is bound when the module is instantiated. */
  readonly stops: readonly (Omit<Stop, 'region'> | undefined)[];
  /** What the driver does at each point. */
  readonly actions: Uint8Array;
  /** Threads that run together as long as they agree: the block, or a warp. */
  readonly group: number;
  readonly arenaBytes: number;
  readonly localStride: number;
  readonly options: CompileOptions;
  readonly codeBytes: number;
}

/** The module's bytes and tables, not yet compiled by the engine. Throws {@link CannotCompile}. */
export function translate(
  module: LoadedModule,
  analysis: Analysis,
  options: CompileOptions,
): Omit<Program, 'module'> & { readonly bytes: Uint8Array<ArrayBuffer> } {
  const unit = new Unit(module, analysis, options);
  const group = unit.flow.kernel.instructions.some((item) => item.kind === 'warp' || item.kind === 'matrix')
    ? Math.min(WARP, unit.threads)
    : unit.threads;
  unit.wasm.importMemory({ module: 'host', name: 'memory', initialPages: 1, maximumPages: 65536, shared: false });
  const points = findSyncPoints(unit);
  if (points.points.length >= MAX_POINTS)
    throw new CannotCompile('too many synchronisations', analysis.flow.kernel.entry.ptxLine);
  const stops: (Omit<Stop, 'region'> | undefined)[] = [undefined];
  const regions: FunctionBuilder[] = [];
  const exchanges: FunctionBuilder[] = [];
  const actions = new Uint8Array(points.points.length + 1);
  const nothing = unit.wasm.function('nothing', ['i32'], []);
  for (const point of points.points) {
    const region = emitRegion(unit, points, point);
    unit.wasm.exportFunction(`region${point.number}`, region);
    regions.push(region);
    const stop = { point, barrier: barrierStop(unit, point), collective: collectiveStop(unit, point) };
    const exchange = stop.collective && emitCollective(unit, point.number, stop.collective);
    exchanges.push(exchange ?? nothing);
    if (exchange) actions[point.number] = ACTION.exchange;
    else if (stop.barrier?.plain !== undefined) actions[point.number] = ACTION.barrier + (stop.barrier.plain & 15);
    stops.push(stop);
  }
  // Index 0 is never called: a group whose point is 0 has exited.
  unit.wasm.table([regions[0]!, ...regions, nothing, ...exchanges].slice(0));
  unit.wasm.exportFunction('run', emitDriver(unit, group, regions.length + 1));
  const bytes = unit.wasm.finish();
  return {
    bytes,
    imports: unit.imports,
    sites: unit.sites,
    stops,
    actions,
    group,
    arenaBytes: unit.frames.bytes,
    localStride: unit.localStride,
    options,
    codeBytes: bytes.length,
  };
}

export function compileProgram(module: LoadedModule, analysis: Analysis, options: CompileOptions): Program {
  const { bytes, ...rest } = translate(module, analysis, options);
  return { ...rest, module: compileModule(bytes) };
}

function resultSlot(unit: Unit, operand: Operand | undefined): Slot | undefined {
  if (operand?.kind !== 'register' && operand?.kind !== 'predicate') return undefined;
  return unit.frames.slot(operand.id, unit.slotBytes(operand.id));
}

function barrierStop(unit: Unit, point: SyncPoint): BarrierStop | undefined {
  const { instruction } = point;
  if (instruction?.kind !== 'barrier') return undefined;
  if (instruction.operation === 'cluster-arrive' || instruction.operation === 'cluster-wait')
    throw new CannotCompile(`'${instruction.text}'`, instruction.line);
  const id = operandSource(unit, unit.facts, instruction.id);
  return {
    instruction,
    id,
    count: operandSource(unit, unit.facts, instruction.count),
    predicate: operandSource(unit, unit.facts, instruction.predicate),
    result: resultSlot(unit, instruction.dst[0]),
    plain:
      instruction.operation === 'sync' && !instruction.count && id?.kind === 'constant' ? Number(id.bits) : undefined,
  };
}

function collectiveStop(unit: Unit, point: SyncPoint): Stop['collective'] {
  const { instruction } = point;
  if (instruction?.kind === 'matrix') throw new CannotCompile(`'${instruction.text}'`, instruction.line);
  if (instruction?.kind !== 'warp') return undefined;
  return {
    instruction,
    sources: instruction.src.map((operand) => operandSource(unit, unit.facts, operand)),
    members: operandSource(unit, unit.facts, instruction.members),
    results: instruction.dst.map((operand) => resultSlot(unit, operand)),
  };
}
