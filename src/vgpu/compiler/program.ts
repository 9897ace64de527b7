/** A kernel compiled for one block shape: the WebAssembly module and what is needed to run it. */
import type { LoadedModule } from '../loader.ts';
import type { Instruction, Operand } from '../ptx/ir.ts';
import { TYPE_BYTES } from '../ptx/ir.ts';
import type { Dim3 } from '../types.ts';
import type { Slot } from './arena.ts';
import { MAX_POINTS, WARP } from './arena.ts';
import { CannotCompile } from './cannot-compile.ts';
import { buildControlFlow } from './cfg.ts';
import { mayBePassed } from './doubts.ts';
import { ACTION, emitDriver } from './driver.ts';
import { emitMatrix, type FragmentAccess } from './matrix/index.ts';
import { Parts } from './parts.ts';
import { emitCollective } from './scalar/collective.ts';
import { emitRegion } from './scalar/region.ts';
import type { BarrierStop, Stop } from './scheduler.ts';
import { type Classification, classify } from './simd/classify.ts';
import { emitSimdRegion } from './simd/region.ts';
import { findSyncPoints, operandSource, type SyncPoint } from './syncpoints.ts';
import { type Analysis, analyseFlow, type CompileOptions, Unit } from './unit.ts';
import type { FunctionBuilder } from './wasm/encoder.ts';
import { compileModule, type WasmModule } from './wasm/engine.ts';

export interface Program {
  readonly module: WasmModule;
  readonly imports: Readonly<Record<string, unknown>>;
  /** Scalar twins of vector regions. */
  readonly parts: Parts | undefined;
  readonly sites: readonly Instruction[];
  readonly fragments: readonly FragmentAccess[];
  /** Offset in the arena of the queue of asynchronous copies, if the kernel makes any. */
  readonly copyQueue: number | undefined;
  /** By point number; the region itself is bound when the module is instantiated. */
  readonly stops: readonly (Omit<Stop, 'region' | 'exchange'> | undefined)[];
  /** What the driver does at each point. */
  readonly actions: Uint8Array;
  /** Threads that run together as long as they agree: the block, or a warp. */
  readonly group: number;
  readonly arenaBytes: number;
  readonly localStride: number;
  readonly options: CompileOptions;
  readonly codeBytes: number;
  /** Race stamps a 4-byte word, as shifts. */
  readonly stamps: { readonly sharedScale: number; readonly globalScale: number } | undefined;
}

/** Larger functions take the engine seconds to compile; its own limits (7.6 MB, 50 000 locals) are not far. */
const MAX_FUNCTION_BYTES = 2_000_000;
const MAX_LOCALS = 45_000;

/** The module's bytes and tables, not yet compiled by the engine. Throws {@link CannotCompile}. */
export function translate(
  module: LoadedModule,
  analysis: Analysis,
  options: CompileOptions,
  lanes?: { readonly count: number; readonly classification: Classification },
): Omit<Program, 'module'> & { readonly bytes: Uint8Array<ArrayBuffer> } {
  const unit = new Unit(module, analysis, options);
  const group = unit.flow.kernel.instructions.some((item) => item.kind === 'warp' || item.kind === 'matrix')
    ? Math.min(WARP, unit.threads)
    : unit.threads;
  unit.importMemory();
  const points = findSyncPoints(unit);
  if (points.points.length >= MAX_POINTS)
    throw new CannotCompile('too many synchronisations', analysis.flow.kernel.entry.ptxLine);
  const stops: (Omit<Stop, 'region' | 'exchange'> | undefined)[] = [undefined];
  const regions: FunctionBuilder[] = [];
  const exchanges: FunctionBuilder[] = [];
  const actions = new Uint8Array(points.points.length + 1);
  const nothing = unit.wasm.function('nothing', ['i32'], []);
  const { length: pointCount } = points.points;
  const parts = new Parts(unit, points, 2 * pointCount + 2);
  // Stamps, fragments and queues belong to one module: there scalar code stands beside the vectors.
  const lazy =
    lanes !== undefined &&
    !unit.races &&
    !unit.flow.kernel.instructions.some(({ kind }) => kind === 'matrix' || kind === 'async' || kind === 'bulk');
  const scalar = new Map<string, FunctionBuilder>();
  // Where groups of lanes part, and regions of threads by themselves.
  const scalarFrom = (block: number, fresh: boolean): FunctionBuilder => {
    if (lazy) return parts.calls[parts.number(block, fresh)]!;
    const key = `${block}/${fresh}`;
    const code = scalar.get(key) ?? emitRegion(unit, points, block, fresh);
    scalar.set(key, code);
    return code;
  };
  const grouped: FunctionBuilder[] = [];
  for (const point of points.points) {
    const fresh = point.kind === 'start';
    const region = scalarFrom(point.next, fresh);
    grouped.push(
      lanes
        ? emitSimdRegion(unit, points, point.next, fresh, region, {
            lanes: lanes.count,
            classification: lanes.classification,
            scalarFrom: (block) => scalarFrom(block, false),
          })
        : region,
    );
    unit.wasm.exportFunction(`region${point.number}`, region);
    regions.push(region);
    const matrix = point.instruction?.kind === 'matrix' ? point.instruction : undefined;
    const stop = { point, barrier: barrierStop(unit, point), collective: collectiveStop(unit, point), matrix };
    const exchange = matrix
      ? emitMatrix(unit, point.number, matrix)
      : stop.collective && emitCollective(unit, point.number, stop.collective);
    if (matrix && exchange) unit.wasm.exportFunction(`exchange${point.number}`, exchange);
    exchanges.push(exchange ? withPhase(unit, exchange, stop.collective) : nothing);
    if (exchange) actions[point.number] = ACTION.exchange;
    else if (stop.barrier?.plain !== undefined) actions[point.number] = ACTION.barrier + (stop.barrier.plain & 15);
    stops.push(stop);
  }
  // Index 0 is never called: a group whose point is 0 has exited.
  unit.wasm.table([regions[0]!, ...grouped, nothing, ...exchanges, ...parts.stubs()]);
  unit.wasm.exportTable('table');
  if (lazy) parts.reserveFrames();
  if (unit.races) {
    unit.wasm.exportFunction('nextEpoch', unit.races.nextEpoch());
    unit.wasm.exportFunction('nextPhase', unit.races.nextPhase());
  }
  unit.wasm.exportFunction('run', emitDriver(unit, group, regions.length + 1));
  for (const { code, localCount } of unit.wasm.definedFunctions)
    if (code.length > MAX_FUNCTION_BYTES || localCount > MAX_LOCALS)
      throw new CannotCompile(`a region of ${code.length} bytes of code`, analysis.flow.kernel.entry.ptxLine);
  const bytes = unit.wasm.finish();
  return {
    bytes,
    parts: lazy ? parts : undefined,
    imports: unit.imports,
    sites: unit.sites,
    fragments: unit.fragments,
    copyQueue: unit.copyQueueOffset,
    stops,
    actions,
    group,
    arenaBytes: unit.frames.bytes,
    localStride: unit.localStride,
    options,
    codeBytes: bytes.length,
    stamps: unit.races && { sharedScale: unit.races.sharedScale, globalScale: unit.races.globalScale },
  };
}

/** Where races are looked for, an exchange of all lanes of a warp also orders what they do. */
function withPhase(unit: Unit, exchange: FunctionBuilder, collective: Stop['collective']): FunctionBuilder {
  if (!unit.races || !collective?.members) return exchange;
  const code = unit.wasm.function(`${exchange.name}.ordered`, ['i32'], []);
  code.get(0).call(exchange).get(0).call(unit.races.nextPhase());
  return code;
}

/** `whole`: see {@link compileModule}. */
export function compileProgram(
  module: LoadedModule,
  analysis: Analysis,
  options: CompileOptions,
  whole: boolean,
): Program {
  const { bytes, ...rest } = translate(module, analysis, options);
  return { ...rest, module: compileModule(bytes, whole) };
}

/** The program for groups of lanes. Throws {@link CannotCompile} when the block's shape or the kernel does not allow any. */
export function compileSimdProgram(
  module: LoadedModule,
  analysis: Analysis,
  options: CompileOptions,
  whole: boolean,
): Program {
  const { bytes, ...rest } = translateSimd(module, analysis, options);
  return { ...rest, module: compileModule(bytes, whole) };
}

export function translateSimd(
  module: LoadedModule,
  analysis: Analysis,
  options: CompileOptions,
): ReturnType<typeof translate> {
  const { kernel } = analysis.flow;
  const isolated = analyseFlow(buildControlFlow(kernel, new Set(), true));
  const addressOf = (operand: Operand & { kind: 'symbol' }): bigint =>
    operand.variable.owner === 'frame' ? 0n : module.addressOf(kernel.entry, operand.variable) + BigInt(operand.offset);
  const classified = (of: Analysis, lanes: number): Classification =>
    classify(of.flow, of.facts, of.live, options.block, lanes, addressOf);
  const count = chooseLanes(isolated, classified(isolated, 4), options.block);
  const first = classified(isolated, count);
  if (first.extensions.size === 0) return translate(module, isolated, options, { count, classification: first });
  // Blocks begin at the conversions that may have to be left to scalar code.
  const cut = analyseFlow(buildControlFlow(kernel, first.extensions, true));
  return translate(module, cut, options, { count, classification: classified(cut, count) });
}

/** Vector registers are few (16 in V8's code): many live varying values want short groups. */
function chooseLanes(analysis: Analysis, classification: Classification, block: Dim3): number {
  const { flow, live } = analysis;
  let pressure = 0;
  for (const set of live) {
    let here = 0;
    for (const id of set.items())
      if (classification.classes[id] === 'varying') here += TYPE_BYTES[flow.kernel.registers[id]!.type] === 8 ? 2 : 1;
    pressure = Math.max(pressure, here);
  }
  const wanted = pressure <= 8 ? 16 : pressure < 20 ? 8 : 4;
  const threads = block[0] * block[1] * block[2];
  const line = block[1] * block[2] === 1;
  for (const lanes of [16, 8, 4])
    if (lanes <= wanted && lanes <= threads && (line || block[0] % lanes === 0)) return lanes;
  throw new CannotCompile(`groups of lanes in blocks of ${block.join(' x ')} threads`, flow.kernel.entry.ptxLine);
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
    mayBePassed: mayBePassed(unit.flow, instruction),
  };
}

function collectiveStop(unit: Unit, point: SyncPoint): Stop['collective'] {
  const { instruction } = point;
  if (instruction?.kind !== 'warp') return undefined;
  return {
    instruction,
    sources: instruction.src.map((operand) => operandSource(unit, unit.facts, operand)),
    members: operandSource(unit, unit.facts, instruction.members),
    results: instruction.dst.map((operand) => resultSlot(unit, operand)),
  };
}
