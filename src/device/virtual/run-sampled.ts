/**
 * Runs a plan in part on a virtual GPU in this process: see sampled-run.ts. The device's child process calls it.
 *
 * A buffer is either exact (what a whole run would have put there) or unknown, because blocks that write it did not run. A launch that is
 * given an unknown buffer finds it filled with made-up numbers. A fault there counts only if it is the same over two different fillings:
 * else it may follow from the numbers, not from the kernel. Blocks that wait for other blocks may hang when those do not run: such kernels
 * are told by their atomic and ordered accesses, and their hanging says nothing.
 */
import { entryText, type PlanStep, type PlanTensor } from '../../kernel/index.ts';
import { type DType, elementBytes } from '../../task/index.ts';
import {
  type DevicePointer,
  type Finding,
  type LaunchReport,
  type LoadedModule,
  PtxError,
  sampleBlocks,
  VirtualGpu,
} from '../../vgpu/index.ts';
import { buffersOf, type Launch } from '../plan/arguments.ts';
import { elementCount, isContiguous } from '../plan/strided.ts';
import type { SampledLaunch, SampledOutput, SampledRow, SampledRunRequest, SampledRunResult } from '../sampled-run.ts';
import { madeUp, typesOf } from './buffer-types.ts';
import { launchConfig } from './launch-config.ts';
import { type ByteRanges, pickRows } from './written-rows.ts';

/** All that the virtual GPU can have; what a plan is given is a half more than its buffers, and room for launches. */
const MEMORY_BYTES = 3 * 2 ** 30;
const LAUNCH_BYTES = 2 ** 28;
/** Bytes moved at once where a buffer is gone through. */
const CHUNK = 2 ** 25;
/** Thread-instructions that a thread is reckoned to take before anything has run. */
const USUAL_INSTRUCTIONS = 1024;
/** Thread-instructions for the blocks of a launch that only the interpreter can run (clusters, mbarriers): some seconds of it. */
const INTERPRETED = 2 ** 25;
/** Where the blocks that ran wrote less than half of their share of an output, that many times the usual is spent to run them all. */
const SUSPICIOUS = 8;
/** Findings that can follow from a block's waiting for another that does not run. */
const WAITING: ReadonlySet<string> = new Set(['deadlock', 'budget-exceeded', 'uninitialised-read']);
/** Findings that can follow from what a program was given: it says so itself, or it does not end. */
const DEPENDS_ON_VALUES: ReadonlySet<string> = new Set(['trap', 'assert', 'deadlock', 'budget-exceeded']);

/** Runs the request. Never throws for what the candidate does. */
export function runSampled(request: SampledRunRequest): SampledRunResult {
  const message = beyond(request);
  if (message !== undefined) return { status: 'unsupported', message };
  try {
    return new SampledRun(request).run();
  } catch (error) {
    if (error instanceof PtxError) return { status: 'unsupported', message: error.message };
    if (error instanceof RangeError) return { status: 'exceeded', limit: 'memory', message: `${error.message}.` };
    throw error;
  }
}

/** What a plan has that is not run in part: several modules, device variables that the host writes, PyTorch's own operators. */
function beyond({ plan, build }: SampledRunRequest): string | undefined {
  if (build.others?.length) return 'Plans of several modules are not run in part.';
  const step = plan.steps.find(({ kind }) => kind !== 'launch' && kind !== 'fill' && kind !== 'copy');
  if (step) return `Line ${step.line}: a plan with a step of the kind \`${step.kind}\` is not run in part.`;
  const symbol = plan.buffers.find(({ kind }) => kind === 'symbol');
  return symbol && `A plan that uses the device variable ${symbol.name} from the host is not run in part.`;
}

interface BufferState {
  exact: boolean;
  /** It holds made-up contents throughout. */
  filled: boolean;
  /** Some blocks that write it did not run. */
  partly: boolean;
  /** Something has been written to it. */
  touched: boolean;
}

interface Outcome {
  ran: number;
  spent: number;
  /** The interpreter ran them: hundreds of times as slow. */
  interpreted: boolean;
  /** By buffer: what was written, one list a run. */
  written: Map<number, ByteRanges[]>;
  finding?: Finding;
}

class SampledRun {
  readonly #request: SampledRunRequest;
  readonly #gpu: VirtualGpu;
  readonly #module: LoadedModule;
  readonly #pointers: readonly DevicePointer[];
  readonly #states: BufferState[];
  readonly #dtypes: readonly DType[];
  readonly #launches: SampledLaunch[] = [];
  /** Rows of outputs that are known though their buffer is not, by output. */
  readonly #captured = new Map<number, SampledRow[]>();
  /** Device variables that a launch which ran in part may have written. */
  readonly #unknownGlobals = new Set<string>();
  #wholeLeft: number;

  constructor(request: SampledRunRequest) {
    this.#request = request;
    this.#wholeLeft = request.limits.wholeInstructions;
    const bytes = request.plan.buffers.reduce((sum, buffer) => sum + buffer.bytes, 0);
    this.#gpu = new VirtualGpu({ memoryBytes: Math.min(MEMORY_BYTES, 1.5 * bytes + LAUNCH_BYTES) });
    this.#module = this.#gpu.load(request.build.ptx, { name: 'candidate' });
    const { buffers } = request.plan;
    this.#pointers = buffers.map(({ bytes, name }) => this.#gpu.allocate(bytes, { name }));
    this.#states = buffers.map(() => ({ exact: true, filled: false, partly: false, touched: false }));
    this.#dtypes = typesOf(request.plan);
    for (const { id, bytes, kind, argument } of buffers) {
      if (kind === 'argument') this.#tile(id, 0, bytes, request.contents[argument!]!);
    }
  }

  run(): SampledRunResult {
    const started = performance.now();
    const end = (findings: readonly Finding[]): SampledRunResult => ({
      status: 'completed',
      launches: this.#launches,
      outputs: findings.length > 0 ? [] : this.#request.plan.outputs.map((tensor, o) => this.#output(tensor, o)),
      findings,
      milliseconds: performance.now() - started,
    });
    for (const step of this.#request.plan.steps) {
      if (step.kind === 'fill') this.#fill(step);
      else if (step.kind === 'copy') this.#copy(step);
      else if (step.kind === 'launch') {
        const finding = this.#launch(step);
        if (finding) return end([{ ...finding, kernel: step.kernel }]);
      }
    }
    return end([]);
  }

  /** Repeats `content` over a range of a buffer. */
  #tile(buffer: number, from: number, bytes: number, content: Uint8Array): void {
    if (content.length === 0) return;
    const times = Math.max(1, Math.min(Math.floor(CHUNK / content.length), Math.ceil(bytes / content.length)));
    const chunk = times === 1 ? content : new Uint8Array(times * content.length);
    for (let i = 0; i < times && times > 1; i++) chunk.set(content, i * content.length);
    for (let at = 0; at < bytes; at += chunk.length) {
      this.#gpu.write(
        this.#pointers[buffer]! + BigInt(from + at),
        chunk.subarray(0, Math.min(chunk.length, bytes - at)),
      );
    }
  }

  #lose(buffer: number): void {
    this.#states[buffer] = { exact: false, filled: false, partly: true, touched: true };
    this.#forget(buffer);
  }

  #forget(buffer: number): void {
    for (const [o, tensor] of this.#request.plan.outputs.entries())
      if (tensor.buffer === buffer) this.#captured.delete(o);
  }

  #fill({ tensor, bytes }: Extract<PlanStep, { kind: 'fill' }>): void {
    const size = elementBytes[tensor.dtype];
    this.#forget(tensor.buffer);
    if (!isContiguous(tensor)) {
      this.#lose(tensor.buffer);
      return;
    }
    const element = Buffer.alloc(size, Buffer.from(bytes, 'hex').subarray(0, size));
    this.#tile(tensor.buffer, tensor.offset * size, elementCount(tensor) * size, element);
    const whole = elementCount(tensor) * size === this.#request.plan.buffers[tensor.buffer]!.bytes;
    this.#states[tensor.buffer] = whole
      ? { exact: true, filled: true, partly: false, touched: true }
      : { ...this.#states[tensor.buffer]!, touched: true };
  }

  /** A copy of one dense tensor to another of its type is made; what other copies leave is unknown. */
  #copy({ from, to }: Extract<PlanStep, { kind: 'copy' }>): void {
    const plain = from.dtype === to.dtype && isContiguous(from) && isContiguous(to);
    if (!plain || !this.#states[from.buffer]!.exact) {
      this.#lose(to.buffer);
      return;
    }
    this.#forget(to.buffer);
    this.#states[to.buffer]!.touched = true;
    const size = elementBytes[from.dtype];
    const bytes = elementCount(from) * size;
    for (let at = 0; at < bytes; at += CHUNK) {
      const read = this.#pointers[from.buffer]! + BigInt(from.offset * size + at);
      const write = this.#pointers[to.buffer]! + BigInt(to.offset * size + at);
      this.#gpu.write(write, this.#gpu.read(read, Math.min(CHUNK, bytes - at)));
    }
  }

  /** Fills what is unknown among a launch's buffers. `other`: with other contents than usual, also where it is filled. */
  #makeUp(buffers: readonly number[], other: boolean): void {
    for (const buffer of buffers) {
      const state = this.#states[buffer]!;
      if (state.exact || (state.filled && !other)) continue;
      this.#tile(buffer, 0, this.#request.plan.buffers[buffer]!.bytes, madeUp(this.#dtypes[buffer]!, other));
      state.filled = !other;
    }
  }

  /** Runs what can be run of a launch. Gives the fault that the kernel has to answer for. */
  #launch(step: Launch): Finding | undefined {
    const totalBlocks = step.grid[0] * step.grid[1] * step.grid[2];
    const buffers = [...new Set(buffersOf(step))];
    const text = entryText(this.#request.build.ptx, step.entry) ?? '';
    const globals = globalsIn(this.#request.build.ptx, text);
    const madeUp = buffers.some((b) => !this.#states[b]!.exact) || globals.some((g) => this.#unknownGlobals.has(g));
    this.#makeUp(buffers, false);
    const { kernel, line, grid, block } = step;
    const launch: SampledLaunch = {
      ...{ kernel, line, grid, block, totalBlocks },
      ...{ ranBlocks: 0, threadInstructions: 0, madeUp },
    };
    this.#launches.push(launch);
    const outcome = this.#runBlocks(step, text, launch);
    launch.ranBlocks = outcome.ran;
    launch.threadInstructions = outcome.spent;
    const whole = outcome.ran === totalBlocks;
    if (!whole) for (const name of globals) this.#unknownGlobals.add(name);
    if (outcome.finding === undefined && launch.notChecked === undefined) {
      this.#settle(outcome, whole && !madeUp, whole, launch, text);
      if (!whole) this.#doubt(buffers, outcome, text);
      return undefined;
    }
    const finding = outcome.finding;
    if (finding && this.#answersFor(step, finding, launch, communicates(text), whole)) return finding;
    for (const b of buffers) {
      if (this.#request.plan.buffers[b]!.kind === 'workspace' || outcome.written.has(b)) this.#lose(b);
    }
    return undefined;
  }

  /** Whether a fault is the kernel's own; where that is not known, says so in the launch. */
  #answersFor(step: Launch, found: Finding, launch: SampledLaunch, waits: boolean, whole: boolean): boolean {
    const said = found.message.replace(/\.$/, '');
    if (waits && !whole && WAITING.has(found.kind)) {
      launch.notChecked = `its blocks may depend on each other, and not all were run (${said})`;
      return false;
    }
    if (found.kind === 'budget-exceeded') {
      launch.notChecked = `it was stopped after ${this.#request.limits.instructions.toLocaleString('en')} thread-instructions`;
      return false;
    }
    if (!launch.madeUp) return true;
    if (!DEPENDS_ON_VALUES.has(found.kind)) {
      const buffers = [...new Set(buffersOf(step))];
      this.#makeUp(buffers, true);
      const again = this.#run(step, blocksOf(found, launch), this.#request.limits.instructions);
      if (again.findings.some((one) => sameFault(one, found))) return true;
    }
    launch.notChecked = `what it did depends on values that earlier launches compute, and those did not run whole (${said})`;
    return false;
  }

  #run(step: Launch, blocks: readonly number[] | undefined, instructionBudget: number): LaunchReport {
    const config = launchConfig(step, this.#pointers);
    return this.#gpu.launch(this.#module, step.entry, { ...config, blocks, instructionBudget, written: 'launch' });
  }

  /** First a few blocks; then all of them, where that is cheap. */
  #runBlocks(step: Launch, text: string, launch: SampledLaunch): Outcome {
    const { limits, seed, blocks: wanted } = this.#request;
    const { totalBlocks } = launch;
    const outcome: Outcome = { ran: 0, spent: 0, interpreted: false, written: new Map() };
    const add = (blocks: readonly number[] | undefined, budget: number): boolean => {
      const report = this.#run(step, blocks, budget);
      outcome.spent += report.threadInstructions;
      outcome.interpreted ||= report.executor === 'interpreter';
      for (const { pointer, ranges } of report.written ?? []) {
        const buffer = this.#pointers.indexOf(pointer);
        if (buffer >= 0) outcome.written.set(buffer, [...(outcome.written.get(buffer) ?? []), ranges]);
      }
      if (report.completed) outcome.ran += blocks?.length ?? totalBlocks;
      outcome.finding = report.completed ? undefined : report.findings.at(-1);
      return report.completed;
    };
    const threads = totalBlocks * step.block[0] * step.block[1] * step.block[2];
    // Blocks of a cluster run together, whichever of them is asked for; clusters are only interpreted.
    const clustered = step.cluster !== undefined || /\.(reqnctapercluster|explicitcluster|maxclusterrank)/.test(text);
    const few = threads * USUAL_INSTRUCTIONS <= (clustered ? INTERPRETED : limits.wholeInstructions);
    const together = step.cooperative === true || this.#gpu.hasGridBarrier(this.#module, step.entry);
    if (together || ((clustered || communicates(text)) && few)) {
      if (few) add(undefined, limits.instructions);
      else launch.notChecked = 'its blocks wait for each other, and there are too many to run them all';
      return outcome;
    }
    const chosen = sampleBlocks(step.grid, { count: wanted, seed });
    // The ends first: they tell what a block costs.
    const ends = [...new Set([chosen[0]!, chosen.at(-1)!])];
    if (!add(ends, limits.instructions)) return outcome;
    const most = outcome.interpreted ? Math.min(INTERPRETED, limits.instructions) : limits.instructions;
    const affordable = Math.max(0, Math.floor((most - outcome.spent) / (outcome.spent / outcome.ran)));
    const others = chosen.filter((block) => !ends.includes(block)).slice(0, affordable);
    if (others.length > 0 && !add(others, limits.instructions)) return outcome;
    // Once more would be twice for a cluster of which a block has run.
    if (clustered) return outcome;
    const rest = (outcome.spent / outcome.ran) * (totalBlocks - outcome.ran);
    const usual = outcome.interpreted ? INTERPRETED : limits.wholeInstructions;
    const left = outcome.interpreted ? Math.min(INTERPRETED, this.#wholeLeft) : this.#wholeLeft;
    const limit = this.#leavesGaps(outcome, totalBlocks) ? SUSPICIOUS * usual : left;
    if (rest > 0 && rest <= limit) {
      const done = new Set([...ends, ...others]);
      const remaining: number[] = [];
      for (let block = 0; block < totalBlocks; block++) if (!done.has(block)) remaining.push(block);
      const before = outcome.spent;
      add(remaining, Math.max(limits.instructions, Math.ceil(2 * rest)));
      this.#wholeLeft -= outcome.spent - before;
    }
    return outcome;
  }

  /** Whether blocks that wrote as much as those did would leave more than half of an output unwritten. */
  #leavesGaps({ written, ran }: Outcome, total: number): boolean {
    return this.#request.plan.outputs.some(({ buffer }) => {
      const bytes = (written.get(buffer) ?? []).reduce((sum, ranges) => sum + lengthOf(ranges), 0);
      return bytes > 0 && (bytes / ran) * total < this.#request.plan.buffers[buffer]!.bytes / 2;
    });
  }

  /** Notes what a launch that ended well left. */
  #settle({ written }: Outcome, exact: boolean, whole: boolean, launch: SampledLaunch, text: string): void {
    for (const [buffer, ranges] of written) {
      const before = this.#states[buffer]!;
      this.#forget(buffer);
      const partly = !whole || before.partly;
      this.#states[buffer] = { exact: exact && before.exact, filled: false, partly, touched: true };
      // Blocks that add to what others wrote leave no element whole.
      if (exact || launch.madeUp || !before.exact || communicates(text)) continue;
      for (const [o, tensor] of this.#request.plan.outputs.entries()) {
        const wanted = this.#request.rows[o];
        if (tensor.buffer !== buffer || !wanted || !isContiguous(tensor)) continue;
        const rows = pickRows(tensor, wanted, ranges, this.#request.seed);
        this.#captured.set(
          o,
          rows.map(({ row, written: mask }) => ({
            row,
            bytes: this.#readRow(tensor, row, wanted.elements),
            written: mask,
          })),
        );
      }
    }
  }

  /** Blocks that did not run may write what those that ran did not: what was empty so far is then unknown. */
  #doubt(buffers: readonly number[], { written }: Outcome, text: string): void {
    for (const buffer of buffers) {
      const { kind } = this.#request.plan.buffers[buffer]!;
      if (kind === 'argument' || written.has(buffer)) continue;
      if (communicates(text) || !this.#states[buffer]!.touched) this.#lose(buffer);
      else this.#states[buffer]!.partly = true;
    }
  }

  #readRow(tensor: PlanTensor, row: number, elements: number): Uint8Array {
    const size = elementBytes[tensor.dtype];
    return this.#gpu.read(
      this.#pointers[tensor.buffer]! + BigInt((tensor.offset + row * elements) * size),
      elements * size,
    );
  }

  #output(tensor: PlanTensor, o: number): SampledOutput {
    const { exact, partly } = this.#states[tensor.buffer]!;
    if (!isContiguous(tensor)) {
      return { rows: [], valuesUnknown: 'it is returned as a strided view', coverage: { known: false } };
    }
    const coverage: SampledOutput['coverage'] =
      exact && !partly ? { known: true, firstMissing: this.#firstMissing(tensor) } : { known: false };
    const captured = this.#captured.get(o);
    if (captured) return { rows: captured, coverage };
    if (!exact) {
      return { rows: [], valuesUnknown: 'it follows from launches of which not all blocks ran', coverage };
    }
    const wanted = this.#request.rows[o];
    if (!wanted || coverage.known === false || coverage.firstMissing !== undefined) return { rows: [], coverage };
    const size = elementBytes[tensor.dtype];
    const everything = Uint32Array.of(tensor.offset * size, (tensor.offset + elementCount(tensor)) * size);
    const rows = pickRows(tensor, wanted, [everything], this.#request.seed);
    return {
      rows: rows.map(({ row, written }) => ({ row, bytes: this.#readRow(tensor, row, wanted.elements), written })),
      coverage,
    };
  }

  /** The first element that was never written, of a dense output. */
  #firstMissing(tensor: PlanTensor): number | undefined {
    const size = elementBytes[tensor.dtype];
    const bytes = elementCount(tensor) * size;
    for (let at = 0; at < bytes; at += CHUNK) {
      const from = this.#pointers[tensor.buffer]! + BigInt(tensor.offset * size + at);
      const gap = this.#gpu.written(from, Math.min(CHUNK, bytes - at)).indexOf(0);
      if (gap >= 0) return Math.floor((at + gap) / size);
    }
    return undefined;
  }
}

function lengthOf(ranges: ByteRanges): number {
  let bytes = 0;
  for (let i = 0; i < ranges.length; i += 2) bytes += ranges[i + 1]! - ranges[i]!;
  return bytes;
}

/** The block a fault happened in, to run it once more; undefined (all) where it has none. */
function blocksOf({ block }: Finding, { grid }: SampledLaunch): number[] | undefined {
  return block && [block[0] + grid[0] * (block[1] + grid[1] * block[2])];
}

function sameFault(one: Finding, other: Finding): boolean {
  return one.kind === other.kind && one.ptxLine === other.ptxLine && one.address === other.address;
}

/** Whether a kernel may pass something from block to block of the same launch: it updates or orders accesses to global memory. */
function communicates(text: string): boolean {
  return /\b(atom|red)\.(?!\S*shared)|\bld\.(volatile|acquire|relaxed)(?!\S*shared)|\bcall\b/.test(text);
}

/** Names of the module's writable variables that a kernel's text mentions. */
function globalsIn(ptx: string, text: string): string[] {
  const declared = ptx.matchAll(/^\s*(?:\.\w+\s+)*\.global\s+[^;={]*?([A-Za-z_$][\w$]*)\s*(?:\[\d*\]\s*)?(?:=|;)/gm);
  return [...declared].map((match) => match[1]!).filter((name) => !name.startsWith('$') && text.includes(name));
}
