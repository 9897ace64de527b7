/**
 * One compilation: a kernel for one block shape, checked or not. Holds the module under construction and what all its
 * functions share: imports, helpers, access sites, the frame layout, the regions still to be emitted.
 */
import { type LoadedModule, type SharedRegion, sharedRegions } from '../loader.ts';
import type { Instruction, PtxFunction, Variable } from '../ptx/ir.ts';
import { TYPE_BYTES } from '../ptx/ir.ts';
import type { Dim3 } from '../types.ts';
import { FrameLayout } from './arena.ts';
import { CannotCompile } from './cannot-compile.ts';
import { buildControlFlow, type ControlFlow } from './cfg.ts';
import { queueBytes } from './copy-queue.ts';
import { flattenKernel } from './flatten.ts';
import { type BitSet, liveIn } from './liveness.ts';
import type { FragmentAccess } from './matrix/index.ts';
import { type RaceOptions, RaceStamps } from './races/stamps.ts';
import { type RegisterFacts, registerFacts } from './registers.ts';
import { type HelperHost, mulHigh64 } from './scalar/helpers.ts';
import { type FunctionBuilder, type FunctionRef, ModuleBuilder, type ValueType } from './wasm/encoder.ts';
import { hasFusedMultiplyAdd } from './wasm/engine.ts';

export interface CompileOptions {
  readonly block: Dim3;
  /** Static and dynamic shared memory of a block. */
  readonly sharedBytes: number;
  readonly checked: boolean;
  /** The memory is shared: updates of global memory are atomic between threads. */
  readonly shared: boolean;
  /** Also mark in the map of `../written.ts` what is written to global memory. */
  readonly written: boolean;
  /** Look for races: what the filter needs to know. */
  readonly races?: RaceOptions;
}

/** What does not depend on the launch: made once a kernel. */
export interface Analysis {
  readonly flow: ControlFlow;
  readonly facts: RegisterFacts;
  readonly live: readonly BitSet[];
}

export function analyse(module: LoadedModule, kernel: PtxFunction): Analysis {
  return analyseFlow(buildControlFlow(flattenKernel(module.ptx, kernel)));
}

export function analyseFlow(flow: ControlFlow): Analysis {
  return { flow, facts: registerFacts(flow.kernel), live: liveIn(flow) };
}

/** Dynamic shared memory of a launch, from the size of the whole area. */
function dynamicBytes(module: LoadedModule, analysis: Analysis, options: CompileOptions): number {
  return Math.max(0, options.sharedBytes - module.sharedLayout(analysis.flow.kernel.entry).dynamicOffset);
}

function gapsBetween(regions: readonly SharedRegion[]): { start: number; end: number }[] {
  return regions.slice(1).map((region, index) => ({ start: regions[index]!.end, end: region.start }));
}

/** A function of `math`, or any other, that the module imports. */
type Imported = (...args: never[]) => unknown;

export class Unit implements HelperHost {
  readonly wasm = new ModuleBuilder();
  readonly flow: ControlFlow;
  readonly facts: RegisterFacts;
  readonly live: readonly BitSet[];
  readonly frames: FrameLayout;
  readonly threads: number;
  readonly imports: Record<string, Imported> = {};
  readonly sites: Instruction[];
  /** wmma.load and wmma.store, for their slow path. */
  readonly fragments: FragmentAccess[] = [];
  /** f32x4.relaxed_madd is a fused multiply-add. */
  readonly fused = hasFusedMultiplyAdd();
  /** Bytes of a thread's local memory. */
  readonly localStride: number;
  /** Between shared variables: bytes of the shared area that no access may touch. */
  readonly sharedGaps: readonly { readonly start: number; readonly end: number }[];
  /** slow(site, address, thread) -> offset in memory at which the access may take place. */
  readonly slowPath: FunctionRef;
  /** trap(site, thread): reports; returns when the launch goes on. */
  readonly trap: FunctionRef;
  /** external(site, thread): a function that the virtual GPU provides. */
  readonly external: FunctionRef;
  /** part(number): has a scalar part made and put into the table. */
  readonly part: FunctionRef;
  /** The instruction budget is spent: never returns. */
  readonly outOfBudget: FunctionRef;
  /** i32 global: offset of the arena. */
  readonly arena: number;
  /** i32 globals: where the map of written bytes lies and what it describes. */
  readonly written: { readonly first: number; readonly words: number; readonly pages: number; readonly map: number };
  /** Stamps every access that might race, if races are looked for. */
  readonly races: RaceStamps | undefined;
  private readonly helpers = new Map<string, FunctionBuilder>();
  private readonly imported = new Map<string, FunctionRef>();
  private workArea: number | undefined;
  private copies: number | undefined;
  private readonly siteNumbers: Map<Instruction, number>;

  constructor(
    readonly module: LoadedModule,
    analysis: Analysis,
    readonly options: CompileOptions,
    /** The compilation that this one is a part of: they share frames and access sites. */
    whole?: Unit,
  ) {
    this.sites = whole?.sites ?? [];
    this.siteNumbers = whole?.siteNumbers ?? new Map();
    this.flow = analysis.flow;
    this.facts = analysis.facts;
    this.live = analysis.live;
    this.threads = options.block[0] * options.block[1] * options.block[2];
    this.frames = whole?.frames ?? new FrameLayout(this.threads);
    this.localStride = Math.ceil(this.flow.kernel.localBytes / 16) * 16;
    this.sharedGaps = gapsBetween(
      sharedRegions(module.sharedLayout(this.flow.kernel.entry), dynamicBytes(module, analysis, options)),
    );
    this.slowPath = this.wasm.importFunction('host', 'slow', ['i32', 'i64', 'i32'], ['i32']);
    this.trap = this.wasm.importFunction('host', 'trap', ['i32', 'i32'], []);
    this.external = this.wasm.importFunction('host', 'external', ['i32', 'i32'], []);
    this.part = this.wasm.importFunction('host', 'part', ['i32'], []);
    this.outOfBudget = this.wasm.importFunction('host', 'budget', [], []);
    this.arena = this.wasm.global('i32');
    this.wasm.exportGlobal('arena', this.arena);
    const exported = (name: string): number => {
      const index = this.wasm.global('i32');
      this.wasm.exportGlobal(name, index);
      return index;
    };
    this.written = {
      first: exported('writtenFirst'),
      words: exported('writtenWords'),
      pages: exported('writtenPages'),
      map: exported('writtenMap'),
    };
    this.races = options.races && new RaceStamps(this, options.races);
  }

  importMemory(): void {
    this.wasm.importMemory({
      module: 'host',
      name: 'memory',
      initialPages: 1,
      maximumPages: 65536,
      shared: this.options.shared,
    });
  }

  /** The number of an access site, for the slow path. */
  site(instruction: Instruction): number {
    let number = this.siteNumbers.get(instruction);
    if (number === undefined) {
      number = this.sites.length;
      this.sites.push(instruction);
      this.siteNumbers.set(instruction, number);
    }
    return number;
  }

  helper(
    name: string,
    params: readonly ValueType[],
    results: readonly ValueType[],
    build: (code: FunctionBuilder) => void,
  ): FunctionRef {
    let code = this.helpers.get(name);
    if (!code) {
      code = this.wasm.function(name, params, results);
      this.helpers.set(name, code);
      build(code);
    }
    return code;
  }

  importMath(name: string, f: Imported, params: readonly ValueType[], result: ValueType): FunctionRef {
    let ref = this.imported.get(name);
    if (!ref) {
      ref = this.wasm.importFunction('math', name, params, [result]);
      this.imported.set(name, ref);
      this.imports[name] = f;
    }
    return ref;
  }

  /** A function of the launch (see launch-host.ts). */
  importHost(name: string, params: readonly ValueType[], results: readonly ValueType[]): FunctionRef {
    const key = `host.${name}`;
    let ref = this.imported.get(key);
    if (!ref) {
      ref = this.wasm.importFunction('host', name, params, results);
      this.imported.set(key, ref);
    }
    return ref;
  }

  /** The number of a wmma.load or wmma.store, for its slow path. */
  fragmentAccess(access: FragmentAccess): number {
    return this.fragments.push(access) - 1;
  }

  /** Offset in the arena of the work area of matrix instructions: one serves all, each begins anew. */
  matrixWork(bytes: number): number {
    this.workArea ??= this.frames.area(bytes);
    return this.workArea;
  }

  /** Offset in the arena of the queue of asynchronous copies (copy-queue.ts), made when the first needs it. */
  copyQueue(): number {
    this.copies ??= this.frames.area(queueBytes(this.threads));
    return this.copies;
  }

  /** The same, if there are any copies. */
  get copyQueueOffset(): number | undefined {
    return this.copies;
  }

  mulHigh64(signed: boolean): FunctionRef {
    return mulHigh64(this, signed);
  }

  /** The value of a variable's address in its own space. */
  addressOf(variable: Variable): bigint {
    if (variable.space === 'param' && variable.owner === 'frame')
      throw new CannotCompile(`address of call parameter '${variable.name}'`, variable.ptxLine);
    return this.module.addressOf(this.flow.kernel.entry, variable);
  }

  /** Shared memory that the system keeps for cooperative groups: zero when a block begins. */
  get reservedShared(): SharedRegion | undefined {
    return this.module.sharedLayout(this.flow.kernel.entry).reserved;
  }

  /** Bytes of a register's slot in the frames. */
  slotBytes(register: number): 4 | 8 {
    return TYPE_BYTES[this.flow.kernel.registers[register]!.type] === 8 ? 8 : 4;
  }
}
