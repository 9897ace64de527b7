/**
 * The candidate at the task's own shapes, where those are too large to judge it at: its plan for them, a few blocks of each launch in the device,
 * and the values of the rows that those blocks wrote, where rows can be had without computing everything.
 * See row-reference.ts for those values.
 */
import type { Device, SampledLaunch, SampledOutput, SampledRow, SampledRunResult } from '../device/index.ts';
import { BuildError, CandidateError, type PreparedCandidate } from '../kernel/index.ts';
import {
  decode,
  drawTiled,
  encode,
  type FullTask,
  sameShape,
  specText,
  type Task,
  type TensorSpec,
} from '../task/index.ts';
import type { FullSizeOutput, FullSizeReport } from './full-size-report.ts';
import type { Proof } from './proof.ts';
import { count, elementName } from './region.ts';
import { RowReference } from './row-reference.ts';
import { type Commitment, derivePoison, deriveSeed } from './seeds.ts';
import { compareOutput, coordinatesOf } from './tolerance.ts';
import { num, plural, small } from './words.ts';

/** What a judgement at smaller shapes is given of the task's own shapes. */
export interface FullSize extends FullTask {
  /** Interprets and compiles the candidate for them. */
  prepare: (task: Task) => Promise<PreparedCandidate>;
}

const BLOCKS = 12;
/** Thread-instructions: some seconds each at most, on one core. */
const SAMPLE_INSTRUCTIONS = 2 ** 31;
const WHOLE_INSTRUCTIONS = 2 ** 32;
const MILLISECONDS = 60_000;

export interface FullSizeOptions {
  full: FullSize;
  device: Device;
  commitment: Commitment;
  /** Thread-instructions that launches may take in all to be run whole; a launch that would take more is run in part. */
  wholeInstructions?: number;
  signal?: AbortSignal;
}

/** Looks at a candidate at the task's own shapes. Throws only for what is this program's fault. */
export async function examineFullSize(options: FullSizeOptions): Promise<FullSizeReport> {
  const { full, device, commitment, signal, wholeInstructions = WHOLE_INSTRUCTIONS } = options;
  const { task } = full;
  const tensors = task.signature.tensors.map(({ name, spec }) => ({ name, spec }));
  const nothing = { tensors, launches: [], outputs: [] };
  const unknown = (notChecked: string): FullSizeReport => ({ ...nothing, notChecked });
  const wrong = (reason: string, details: Proof['details'] = {}): FullSizeReport => ({
    ...nothing,
    proof: { reason: `At the task's own shapes (${shapesText(task)}): ${reason}`, details },
  });
  if (!device.sample) return unknown(`${device.name} does not run launches in part`);
  let candidate: PreparedCandidate;
  try {
    candidate = await full.prepare(task);
  } catch (error) {
    if (error instanceof CandidateError && (error.kind === 'invalid' || error.kind === 'fails'))
      return wrong(error.message, { line: error.line });
    if (!(error instanceof CandidateError) && !(error instanceof BuildError)) throw error;
    return unknown(`the candidate could not be prepared for them: ${error.message}`);
  }
  const misshapen = wrongShape(task, candidate);
  if (misshapen !== undefined) return wrong(misshapen);
  const tiled = drawTiled(task.graph, deriveSeed(commitment, 'full-size inputs'));
  if (typeof tiled === 'string') return unknown(tiled);
  const reference = typeof full.rows === 'string' ? full.rows : RowReference.of(task, full.rows, tiled);
  const result = await device.sample(
    {
      plan: candidate.plan,
      build: candidate.build,
      contents: tiled.map(({ pattern }) => encode(pattern)),
      rows: task.signature.outputs.map((_, o) => {
        const elements = typeof reference === 'string' ? reference : reference.outputs[o]!;
        return typeof elements === 'string' ? undefined : { elements, most: (reference as RowReference).most };
      }),
      seed: derivePoison(commitment, 'full-size blocks'),
      blocks: BLOCKS,
      limits: { milliseconds: MILLISECONDS, instructions: SAMPLE_INSTRUCTIONS, wholeInstructions },
    },
    signal,
  );
  if (result.status !== 'completed') return unknown(result.message);
  return reportOf(task, tensors, result, reference);
}

/** `x [16, 16384] float32`, of every tensor. */
function shapesText({ signature }: Task): string {
  return signature.tensors.map(({ name, spec }) => `${name} ${specText(spec)}`).join(', ');
}

function wrongShape({ signature }: Task, { plan }: PreparedCandidate): string | undefined {
  const o = signature.outputs.findIndex((want, i) => {
    const got = plan.outputs[i];
    return got === undefined || got.dtype !== want.dtype || !sameShape(got.shape, want.shape);
  });
  if (o < 0) return undefined;
  const got = plan.outputs[o];
  return `the host function returns ${got ? specText(got) : 'nothing'} where the task returns ${specText(signature.outputs[o]!)}.`;
}

function reportOf(
  task: Task,
  tensors: FullSizeReport['tensors'],
  result: Extract<SampledRunResult, { status: 'completed' }>,
  reference: RowReference | string,
): FullSizeReport {
  const { launches, findings } = result;
  const [finding] = findings;
  const at = `At the task's own shapes (${shapesText(task)})`;
  if (finding) {
    const step = launches.at(-1)!;
    const where = finding.source ? ` (line ${finding.source.line})` : '';
    const block = finding.block ? ` in block ${finding.block.join(', ')} of ${step.grid.join(' x ')}` : '';
    const reason = `${at}, ${step.kernel}, launched on line ${step.line}${block}: ${finding.message}${where}`;
    const details = {
      kind: finding.kind,
      kernel: step.kernel,
      line: finding.source?.line ?? null,
      grid: [...step.grid],
    };
    return {
      tensors,
      launches,
      outputs: [],
      proof: { reason, details: { ...details, block: finding.block ? [...finding.block] : null }, findings },
    };
  }
  const outputs: FullSizeOutput[] = [];
  for (const [o, seen] of result.outputs.entries()) {
    const spec = task.signature.outputs[o]!;
    const name = result.outputs.length === 1 ? 'out' : `out${o}`;
    if (seen.coverage.known && seen.coverage.firstMissing !== undefined) {
      const element = coordinatesOf(seen.coverage.firstMissing, spec.shape);
      const reason = `${at}, where all blocks of all launches ran: ${elementName(name, element)} is the first element that was never written. ${launchesText(launches)}`;
      return { tensors, launches, outputs, proof: { reason, details: { output: o, element } } };
    }
    const compared = compareRows(reference, o, seen, spec);
    if (compared.wrong) {
      const { element, got, expected, bound } = compared.wrong;
      const reason = `${at}: ${elementName(name, element)} is ${num(got)} and should be ${num(expected)}, and may be off by ${small(bound)}; of ${plural(compared.compared, 'element')} that were compared ${count(compared.wrongs)} are wrong. ${launchesText(launches)}`;
      const details = {
        output: o,
        element,
        got: num(got),
        expected: num(expected),
        bound,
        wrong: compared.wrongs,
        compared: compared.compared,
      };
      return { tensors, launches, outputs, proof: { reason, details } };
    }
    const { wrong: _, wrongs: __, ...known } = compared;
    outputs.push({ name, everyElementWritten: seen.coverage.known, ...known });
  }
  return { tensors, launches, outputs };
}

/** Which launches there were, for a proof that no single one is the cause of. */
function launchesText(launches: readonly SampledLaunch[]): string {
  const each = launches.map(
    ({ kernel, line, grid, block }) => `${kernel} (line ${line}) on ${grid.join(' x ')} blocks of ${block.join(' x ')}`,
  );
  return `Launched: ${each.slice(0, 4).join('; ')}${each.length > 4 ? `; and ${each.length - 4} more` : ''}.`;
}

interface ComparedRows {
  compared: number;
  rows: readonly number[];
  worst?: number;
  notCompared?: string;
  wrongs: number;
  wrong?: { element: number[]; got: number; expected: number; bound: number };
}

function compareRows(
  reference: RowReference | string,
  o: number,
  { rows, valuesUnknown }: SampledOutput,
  spec: TensorSpec,
): ComparedRows {
  const none = (notCompared: string): ComparedRows => ({ compared: 0, rows: [], wrongs: 0, notCompared });
  if (typeof reference === 'string') return none(reference);
  const size = reference.outputs[o];
  if (typeof size === 'string' || size === undefined) return none(size ?? 'it has no rows');
  if (valuesUnknown !== undefined) return none(valuesUnknown);
  if (rows.length === 0) return none('none of its rows was written by the blocks that ran');
  const result: ComparedRows = { compared: 0, rows: rows.map(({ row }) => row), worst: 0, wrongs: 0 };
  for (let at = 0; at < rows.length; at += reference.rows) {
    compareSet(reference, o, rows.slice(at, at + reference.rows), spec, size, result);
  }
  return result;
}

/** Compares some rows, at most as many as the reference evaluates at once, and adds what it finds to `result`. */
function compareSet(
  reference: RowReference,
  o: number,
  rows: readonly SampledRow[],
  spec: TensorSpec,
  size: number,
  result: ComparedRows,
): void {
  const indices = Array.from({ length: reference.rows }, (_, i) => rows[Math.min(i, rows.length - 1)]!.row);
  const tolerance = reference.expect(indices)[o]!;
  // What the blocks did not write counts as right.
  const got = Float64Array.from(tolerance.expected);
  for (const [i, { bytes, written }] of rows.entries()) {
    const { values } = decode(bytes, { shape: [size], dtype: spec.dtype });
    for (let e = 0; e < size; e++) if (written[e] === 1) got[i * size + e] = values[e]!;
    result.compared += written.reduce((sum, one) => sum + one, 0);
  }
  const { worst, wrong } = compareOutput(got, tolerance);
  result.wrongs += wrong;
  if (worst === undefined || worst.ratio <= (result.worst ?? 0)) return;
  result.worst = worst.ratio;
  if (worst.ratio <= 1) return;
  const element = coordinatesOf(indices[Math.floor(worst.index / size)]! * size + (worst.index % size), spec.shape);
  result.wrong = { element, got: worst.got, expected: worst.expected, bound: worst.bound };
}
