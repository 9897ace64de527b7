/**
 * One kernel under every check of the virtual GPU, with arguments made from a launch specification, under one schedule
 * or several: results that differ between schedules, though no check found a fault, are reported too.
 */
import { VirtualGpu } from '../gpu.ts';
import { LoadedModule } from '../loader.ts';
import type { PtxFunction, PtxModule } from '../ptx/ir.ts';
import { parsePtx } from '../ptx/parser.ts';
import type { DevicePointer, Executor, Finding, FindingKind, LaunchReport } from '../types.ts';
import { elementSize, encodeComponent } from './element-types.ts';
import { type ArraySpec, initialBytes } from './fill.ts';
import { findKernel, plainName } from './kernel-name.ts';
import { type ArgumentSpec, type LaunchShape, LaunchSpecError } from './launch-spec.ts';
import { describeDifference } from './order-dependence.ts';
import { ownPlace, SourceMap, type SourcePlace } from './source-trail.ts';

export interface SanitizerFinding extends Omit<Finding, 'source'> {
  /** The place to show: in the caller's own text, even when the instruction is in an inlined library function. */
  place?: SourcePlace;
  /** All places, innermost first. */
  trail: readonly SourcePlace[];
  /** Seed of the first schedule under which it was found. */
  schedule: number;
}

export interface SanitizeRequest {
  /** Entry, qualified or last name; may be absent where there is one kernel. */
  kernel?: string;
  launch: LaunchShape;
  arguments: readonly ArgumentSpec[];
  /** Look for races (default true). */
  races?: boolean;
  /** How many schedules to run under (default 1): program order, then seeded ones. */
  schedules?: number;
  /** Thread-instructions of one launch after which it is taken not to end (default 10^9). */
  budget?: number;
  /** Stop a launch at its first finding (default false). */
  stopAtFirst?: boolean;
  executor?: Executor;
}

export interface ScheduleRun {
  seed: number;
  executor: LaunchReport['executor'];
  completed: boolean;
  threadInstructions: number;
  milliseconds: number;
}

export interface SanitizeReport {
  /** As people know it. */
  kernel: string;
  /** As the PTX has it. */
  entry: string;
  launch: LaunchShape;
  findings: readonly SanitizerFinding[];
  runs: readonly ScheduleRun[];
  /** What the kernel printed in the first run. */
  printed: string;
}

const DEFAULT_BUDGET = 1e9;
/** Kinds that say how a launch ended. */
const ENDINGS: ReadonlySet<FindingKind> = new Set<FindingKind>(['budget-exceeded', 'deadlock']);
/** Of device memory: what the arguments need, and this for the module's variables and the launch's own areas. */
const SPARE_BYTES = 512 * 1024 * 1024;
const MOST_BYTES = 3 * 1024 ** 3;
/** For arguments, at least. */
const LEAST_BYTES = 64 * 1024 * 1024;
/** What the allocator may add to an array: alignment and a red zone. */
const PLACE_BYTES = 1024;

interface Room {
  readonly gpu: VirtualGpu;
  readonly module: LoadedModule;
  /** For further arguments. */
  bytesLeft: number;
}

export interface KernelName {
  /** As people know it. */
  readonly name: string;
  /** As the PTX has it. */
  readonly entry: string;
}

function kernelName({ name }: PtxFunction): KernelName {
  return { name: plainName(name), entry: name };
}

/** A PTX module that can be checked launch by launch; every check starts with fresh memory. */
export class Sanitizer {
  readonly #module: PtxModule;
  readonly #source: SourceMap;
  #room: Room | undefined;

  /** Throws a PtxError, with line and text, for PTX that is not supported. `name` is used in messages. */
  constructor(ptx: string, name = 'module') {
    this.#module = parsePtx(ptx, name);
    this.#source = new SourceMap(ptx);
  }

  /** The kernels, by the names that people know. */
  get kernels(): KernelName[] {
    return [...this.#module.functions.values()].filter(({ entry }) => entry).map(kernelName);
  }

  /** The kernel of a name as {@link SanitizeRequest.kernel} has it. Throws a {@link LaunchSpecError} when there is none. */
  kernelNamed(name: string | undefined): KernelName {
    return kernelName(findKernel(this.#module, name));
  }

  /**
   * Runs the kernel and gives what was found. Throws a {@link LaunchSpecError} when the arguments do not fit the kernel or
   * memory, and a CannotRun or PtxError when the kernel holds something that cannot be executed.
   */
  check(request: SanitizeRequest): SanitizeReport {
    const kernel = findKernel(this.#module, request.kernel);
    checkParameters(kernel, request.arguments);
    const { gpu, module } = this.#roomFor(request.arguments);
    const bench = new Bench(gpu, request.arguments);
    const findings = new Map<string, SanitizerFinding>();
    const runs: ScheduleRun[] = [];
    let printed = '';
    let reference: Content[] | undefined;
    for (let seed = 0; seed < (request.schedules ?? 1); seed++) {
      gpu.resetGlobals(module);
      bench.prepare();
      const report = gpu.launch(module, kernel.name, {
        ...request.launch,
        arguments: bench.parameters,
        allocations: bench.pointers,
        executor: request.executor ?? 'auto',
        races: request.races ?? true,
        instructionBudget: request.budget ?? DEFAULT_BUDGET,
        stopAtFault: request.stopAtFirst ?? false,
        schedule: seed,
      });
      const { executor, completed, threadInstructions, milliseconds } = report;
      runs.push({ seed, executor, completed, threadInstructions, milliseconds });
      for (const finding of report.findings) this.#add(findings, finding, plainName(kernel.name), seed);
      if (seed === 0) printed = report.printed;
      // A launch with a fault has no result that could be compared.
      if (!completed || findings.size > 0) continue;
      const content = bench.content();
      reference ??= content;
      for (const finding of differences(reference, content, plainName(kernel.name), seed)) {
        findings.set(finding.kind, finding);
      }
    }
    const name = plainName(kernel.name);
    return {
      kernel: name,
      entry: kernel.name,
      launch: request.launch,
      findings: [...findings.values()],
      runs,
      printed,
    };
  }

  /**
   * A GPU with memory that nothing has used yet. Earlier arguments stay where they are, out of bounds for this launch: a
   * GPU is expensive to make, and freed memory would be met as such.
   */
  #roomFor(specs: readonly ArgumentSpec[]): Room {
    let bytes = 0;
    for (const spec of specs) {
      if (spec.kind === 'array') bytes += spec.count * elementSize(spec.type) + PLACE_BYTES;
    }
    if (bytes + SPARE_BYTES > MOST_BYTES) {
      throw new LaunchSpecError(
        `The arrays need ${(bytes / 2 ** 20).toFixed(0)} MiB; the virtual GPU can give them ${(MOST_BYTES - SPARE_BYTES) / 2 ** 20} MiB. Make them smaller.`,
      );
    }
    if (this.#room === undefined || this.#room.bytesLeft < bytes) {
      const bytesLeft = Math.max(bytes, LEAST_BYTES);
      const gpu = new VirtualGpu({ memoryBytes: bytesLeft + SPARE_BYTES });
      this.#room = { gpu, module: new LoadedModule(this.#module, gpu.memory), bytesLeft };
    }
    this.#room.bytesLeft -= bytes;
    return this.#room;
  }

  /**
   * Adds a finding. An unrolled loop makes one mistake at many instructions, and each schedule meets it again: findings of
   * one kind about the same memory on one source line are one.
   */
  #add(findings: Map<string, SanitizerFinding>, finding: Finding, kernel: string, seed: number): void {
    const { source, ...rest } = finding;
    let trail = this.#source.trail(finding.ptxLine);
    if (trail.length === 0 && source !== undefined) trail = [{ ...source, column: 0 }];
    const place = ownPlace(trail);
    const where = place === undefined ? `PTX ${finding.ptxLine}` : `${place.file}:${place.line}:${place.column}`;
    // A launch ends once: wherever it was then, it is the same finding.
    const key = ENDINGS.has(finding.kind)
      ? finding.kind
      : `${finding.kind}:${where}:${finding.allocation?.name ?? ''}:${finding.access ?? ''}`;
    const known = findings.get(key);
    if (known === undefined) findings.set(key, { ...rest, kernel, trail, place, schedule: seed });
    else if (known.schedule === seed) known.count += finding.count;
  }
}

/** Refuses arguments that are not what the kernel's parameters are. */
function checkParameters(kernel: PtxFunction, specs: readonly ArgumentSpec[]): void {
  const name = plainName(kernel.name);
  if (specs.length !== kernel.params.length) {
    const given = specs.map((spec) => spec.name).join(', ');
    throw new LaunchSpecError(
      `${name} has ${kernel.params.length} parameter${kernel.params.length === 1 ? '' : 's'} (${parameterList(kernel)}) and ${specs.length} argument${specs.length === 1 ? ' is' : 's are'} given${given === '' ? '' : `: ${given}`}.`,
    );
  }
  for (const [index, parameter] of kernel.params.entries()) {
    const spec = specs[index]!;
    const wanted = parameter.kind === 'variable' ? parameter.variable.bytes : 0;
    const given = spec.kind === 'scalar' ? elementSize(spec.type) : 8;
    if (given === wanted) continue;
    const is = spec.kind === 'scalar' ? `a ${spec.type.name} of ${given} bytes` : 'a pointer of 8 bytes';
    throw new LaunchSpecError(
      `Parameter ${index + 1} of ${name} is ${wanted} bytes long, and its argument ${spec.name} is ${is}.`,
    );
  }
}

/** What PTX knows of a kernel's parameters, in words. */
function parameterList({ params }: PtxFunction): string {
  const words = params.map((parameter) => {
    if (parameter.kind !== 'variable') return 'a value';
    const { type, bytes } = parameter.variable;
    if (bytes > 8) return `a struct of ${bytes} bytes`;
    return bytes === 8 && type !== 'f64' ? 'a pointer or 8 bytes' : `${bytes} byte${bytes === 1 ? '' : 's'}`;
  });
  return words.length === 0 ? 'none' : words.join(', ');
}

/** What an array held after a launch. */
export interface Content {
  readonly spec: ArraySpec;
  readonly bytes: Uint8Array;
  /** 1 for each byte that has been written. */
  readonly written: Uint8Array;
}

/** The arguments in device memory. */
class Bench {
  readonly parameters: Uint8Array[] = [];
  readonly pointers: DevicePointer[] = [];
  readonly #gpu: VirtualGpu;
  readonly #arrays: { spec: ArraySpec; pointer: DevicePointer; bytes: number; initial: Uint8Array | undefined }[] = [];

  constructor(gpu: VirtualGpu, specs: readonly ArgumentSpec[]) {
    this.#gpu = gpu;
    const places = new Map<string, { pointer: DevicePointer; elementBytes: number }>();
    for (const [index, spec] of specs.entries()) {
      if (spec.kind === 'array') {
        const bytes = spec.count * elementSize(spec.type);
        const { address } = gpu.memory.allocate(bytes, { name: spec.name, input: spec.readOnly });
        if (spec.freed) gpu.free(address);
        else {
          this.#arrays.push({ spec, pointer: address, bytes, initial: initialBytes(spec, index + 1) });
          this.pointers.push(address);
        }
        places.set(spec.name, { pointer: address, elementBytes: elementSize(spec.type) });
      }
      this.parameters.push(parameterBytes(spec, places));
    }
  }

  /** Every array as it was specified, whatever launches did to it. */
  prepare(): void {
    for (const { pointer, bytes, initial } of this.#arrays) {
      if (initial === undefined) this.#gpu.poison(pointer, bytes);
      else this.#gpu.write(pointer, initial);
    }
  }

  content(): Content[] {
    return this.#arrays
      .filter(({ spec }) => !spec.readOnly)
      .map(({ spec, pointer, bytes }) => ({
        spec,
        bytes: this.#gpu.read(pointer, bytes),
        written: this.#gpu.written(pointer, bytes),
      }));
  }
}

function parameterBytes(
  spec: ArgumentSpec,
  places: ReadonlyMap<string, { pointer: DevicePointer; elementBytes: number }>,
): Uint8Array {
  const bytes = new Uint8Array(spec.kind === 'scalar' ? elementSize(spec.type) : 8);
  const view = new DataView(bytes.buffer);
  if (spec.kind === 'scalar') encodeComponent(view, 0, spec.type, spec.value);
  else if (spec.kind !== 'null') {
    const place = places.get(spec.kind === 'alias' ? spec.of : spec.name)!;
    const offset = spec.kind === 'alias' ? spec.offset * place.elementBytes : 0;
    view.setBigUint64(0, place.pointer + BigInt(offset), true);
  }
  return bytes;
}

/** At most one finding: the first array whose content differs. */
function differences(
  before: readonly Content[],
  now: readonly Content[],
  kernel: string,
  seed: number,
): SanitizerFinding[] {
  for (const [index, content] of now.entries()) {
    const difference = describeDifference(before[index]!, content, seed);
    if (difference === undefined) continue;
    const { message, firstByte, elements } = difference;
    const { name } = content.spec;
    return [
      {
        kind: 'order-dependence',
        message,
        kernel,
        space: 'global',
        allocation: { name, bytes: content.bytes.length, offset: firstByte },
        ptxLine: 0,
        instruction: '',
        count: elements,
        trail: [],
        schedule: seed,
      },
    ];
  }
  return [];
}
