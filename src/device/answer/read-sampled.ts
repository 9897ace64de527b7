/** What a child process says of a run in part: launches that the plan has, rows of outputs that were asked for, or a crash. */
import type { SampledLaunch, SampledOutput, SampledRow, SampledRunRequest, SampledRunResult } from '../sampled-run.ts';
import {
  amount,
  bytes,
  fieldsOf,
  flag,
  items,
  list,
  Malformed,
  oneOf,
  optional,
  orCrash,
  own,
  sizeOf,
  text,
  whole,
  wholeNumber,
  written,
} from './fields.ts';
import { readFinding } from './read-run.ts';

/** The result of a run in part, or a crash that says what was wrong with the answer. */
export function readSampledAnswer(
  answer: unknown,
  request: SampledRunRequest,
): { result: SampledRunResult; usable: boolean } {
  return orCrash('the virtual GPU', () => readSampledResult(answer, request));
}

function readSampledResult(answer: unknown, request: SampledRunRequest): SampledRunResult {
  const fields = fieldsOf(answer, 'the answer');
  const status = text(fields, 'status');
  switch (status) {
    case 'completed': {
      const findings = list(fields, 'findings').map(readFinding);
      // A run that a fault ended early has no outputs.
      const count = findings.length > 0 ? 0 : request.plan.outputs.length;
      const outputs = items(own(fields, 'outputs'), 'outputs', count);
      const launches = list(fields, 'launches').map(readLaunch);
      const planned = request.plan.steps.filter(({ kind }) => kind === 'launch').length;
      if (launches.length > planned || (findings.length === 0 && launches.length < planned))
        throw new Malformed(`it has ${launches.length} launches, and the plan has ${planned}`);
      return {
        status,
        launches,
        outputs: outputs.map((output, i) => readOutput(output, request, i)),
        findings,
        milliseconds: amount(fields, 'milliseconds'),
      };
    }
    case 'exceeded':
      return { status, limit: oneOf(fields, 'limit', ['time', 'memory']), message: text(fields, 'message') };
    case 'unsupported':
    case 'crashed':
      return { status, message: text(fields, 'message') };
    default:
      throw new Malformed('it names an end that there is not');
  }
}

function readLaunch(launch: unknown): SampledLaunch {
  const fields = fieldsOf(launch, 'a launch');
  const sides = (name: string) => {
    const [x, y, z] = items(own(fields, name), name, 3).map((side) => wholeNumber(side, name, 2 ** 31));
    return [x!, y!, z!] as const;
  };
  const totalBlocks = whole(fields, 'totalBlocks');
  const notChecked = optional(fields, 'notChecked', text);
  return {
    kernel: text(fields, 'kernel'),
    line: whole(fields, 'line'),
    grid: sides('grid'),
    block: sides('block'),
    totalBlocks,
    ranBlocks: whole(fields, 'ranBlocks', totalBlocks),
    threadInstructions: whole(fields, 'threadInstructions'),
    madeUp: flag(fields, 'madeUp'),
    ...(notChecked === undefined ? {} : { notChecked }),
  };
}

function readOutput(output: unknown, { plan, rows: asked }: SampledRunRequest, index: number): SampledOutput {
  const fields = fieldsOf(output, 'an output');
  const tensor = plan.outputs[index]!;
  const { elements, bytes: all } = sizeOf(tensor);
  const rows = list(fields, 'rows');
  const wanted = asked[index];
  if (rows.length > (wanted?.most ?? 0)) throw new Malformed('it brings rows that nobody asked for');
  const valuesUnknown = optional(fields, 'valuesUnknown', text);
  return {
    rows: rows.map((one): SampledRow => {
      const row = fieldsOf(one, 'a row');
      const size = wanted!.elements;
      return {
        row: whole(row, 'row', elements / size - 1),
        bytes: bytes(row, 'bytes', size * (all / elements)),
        written: written(row, size),
      };
    }),
    ...(valuesUnknown === undefined ? {} : { valuesUnknown }),
    coverage: readCoverage(own(fields, 'coverage'), elements),
  };
}

function readCoverage(coverage: unknown, elements: number): SampledOutput['coverage'] {
  const fields = fieldsOf(coverage, 'the coverage of an output');
  if (!flag(fields, 'known')) return { known: false };
  const firstMissing = optional(fields, 'firstMissing', (of, name) => whole(of, name, elements - 1));
  return { known: true, ...(firstMissing === undefined ? {} : { firstMissing }) };
}
