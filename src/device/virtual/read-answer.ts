/**
 * What the child process says, before anything believes it. The child runs our own code, but next to a kernel of a stranger: its answer is looked at field by field
 * against what was asked, and built anew from what was looked at. An answer of another form is a crash of the device, never a result.
 */
import { elementBytes } from '../../task/index.ts';
import type { Finding, LaunchProfile, ModelledTime } from '../../vgpu/index.ts';
import type { SampledProfileResult } from '../sampled-profile.ts';
import type { CallResult, RunRequest, RunResult, SealedOutput } from '../types.ts';

/** Names the first thing that is not as it must be. */
class Malformed extends Error {}

type Fields = Readonly<Record<string, unknown>>;

interface Crash {
  status: 'crashed';
  message: string;
}

/** The result of a run, or a crash that says what was wrong with the answer. */
export function readRunAnswer(answer: unknown, request: RunRequest): { result: RunResult; usable: boolean } {
  return orCrash(() => readResult(answer, request));
}

/** The result of a profile by sample, or a crash that says what was wrong with the answer. */
export function readProfileAnswer(answer: unknown): { result: SampledProfileResult; usable: boolean } {
  return orCrash((): SampledProfileResult => {
    const fields = fieldsOf(answer, 'the answer');
    const status = text(fields, 'status');
    if (status === 'unsupported' || status === 'crashed') return { status, message: text(fields, 'message') };
    if (status === 'exceeded') {
      const limit = text(fields, 'limit');
      if (limit !== 'time' && limit !== 'instructions' && limit !== 'memory')
        throw new Malformed('it names a limit that there is not');
      return { status, limit, message: text(fields, 'message') };
    }
    if (status !== 'completed') throw new Malformed('it names an end that there is not');
    const { profile, modelled } = readProfile(fields, true);
    if (!profile || !modelled) throw new Malformed('it has no profile, or no time');
    return { status, profile, modelled };
  });
}

function orCrash<Result>(read: () => Result): { result: Result | Crash; usable: boolean } {
  try {
    return { result: read(), usable: true };
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    const message = `The virtual GPU's process gave an answer that is none: ${error.message}.`;
    return { result: { status: 'crashed', message }, usable: false };
  }
}

function readResult(answer: unknown, request: RunRequest): RunResult {
  const fields = fieldsOf(answer, 'the answer');
  const status = text(fields, 'status');
  switch (status) {
    case 'completed': {
      const calls = list(fields, 'calls');
      if (calls.length !== request.calls.length)
        throw new Malformed(`it has ${calls.length} calls, and ${request.calls.length} were asked for`);
      if (own(fields, 'measured') !== undefined) throw new Malformed('a virtual GPU measures nothing');
      const result = {
        status,
        calls: calls.map((call) => readCall(call, request)),
        findings: list(fields, 'findings').map(readFinding),
        printed: printed(fields, request),
      } as const;
      return { ...result, ...readProfile(fields, request.profile !== undefined) };
    }
    case 'faulted': {
      const callsCompleted = whole(fields, 'callsCompleted');
      if (callsCompleted >= request.calls.length)
        throw new Malformed(`a fault after ${callsCompleted} of ${request.calls.length} calls`);
      const findings = list(fields, 'findings').map(readFinding);
      return { status, findings, message: text(fields, 'message'), printed: printed(fields, request), callsCompleted };
    }
    case 'exceeded': {
      const limit = text(fields, 'limit');
      if (limit !== 'time' && limit !== 'instructions' && limit !== 'memory' && limit !== 'output')
        throw new Malformed('it names a limit that there is not');
      return { status, limit, message: text(fields, 'message') };
    }
    case 'unsupported':
    case 'crashed':
      return { status, message: text(fields, 'message') };
    default:
      throw new Malformed('it names an end that there is not');
  }
}

function readCall(call: unknown, { plan }: RunRequest): CallResult {
  const fields = fieldsOf(call, 'a call');
  const outputs = list(fields, 'outputs');
  if (outputs.length !== plan.outputs.length)
    throw new Malformed(`a call has ${outputs.length} outputs, and the plan has ${plan.outputs.length}`);
  const inputs = plan.buffers.flatMap(({ kind, argument, bytes }) =>
    kind === 'argument' ? [{ argument, bytes }] : [],
  );
  const changedInputs = list(fields, 'changedInputs').map((one) => {
    const changed = fieldsOf(one, 'a changed input');
    const [argument, firstByte] = [whole(changed, 'argument'), whole(changed, 'firstByte')];
    if (!inputs.some((input) => input.argument === argument && firstByte < input.bytes))
      throw new Malformed('it says that an input was changed which there is not');
    return { argument, firstByte };
  });
  const threadInstructions = whole(fields, 'threadInstructions');
  const milliseconds = own(fields, 'milliseconds');
  if (typeof milliseconds !== 'number' || !(milliseconds >= 0 && Number.isFinite(milliseconds)))
    throw new Malformed('a call took no time that there can be');
  const sealed = outputs.map((output, i): SealedOutput => {
    const { shape, dtype } = plan.outputs[i]!;
    const elements = shape.reduce((product, size) => product * size, 1);
    const one = fieldsOf(output, 'an output');
    const written = bytes(one, 'written', elements);
    if (written.some((byte) => byte > 1)) throw new Malformed('an element is written or not, and nothing else');
    return { bytes: bytes(one, 'bytes', elements * elementBytes[dtype]), written };
  });
  return { outputs: sealed, changedInputs, threadInstructions, milliseconds };
}

/** Findings are read by their text and numbers; what they hold besides is plain data for people. */
function readFinding(finding: unknown): Finding {
  const fields = fieldsOf(finding, 'a finding');
  for (const name of ['kind', 'message', 'kernel', 'instruction']) text(fields, name);
  for (const name of ['ptxLine', 'count']) whole(fields, name);
  plain(finding, 4);
  const source = own(fields, 'source');
  if (source !== undefined) {
    const place = fieldsOf(source, 'the line of a finding');
    text(place, 'file');
    whole(place, 'line');
  }
  return structuredClone(finding) as Finding;
}

/** Only where it was asked for; a modelled time is a number with an interval around it. */
function readProfile(fields: Fields, asked: boolean): { profile?: readonly LaunchProfile[]; modelled?: ModelledTime } {
  const [profile, modelled] = [own(fields, 'profile'), own(fields, 'modelled')];
  if (profile === undefined && modelled === undefined) return {};
  if (!asked) throw new Malformed('it has a profile that nobody asked for');
  const read: { profile?: readonly LaunchProfile[]; modelled?: ModelledTime } = {};
  if (profile !== undefined) {
    for (const one of list(fields, 'profile')) text(fieldsOf(one, 'a profile'), 'kernel');
    read.profile = profile as readonly LaunchProfile[];
  }
  if (modelled !== undefined) {
    const time = fieldsOf(modelled, 'the modelled time');
    const [low, middle, high] = ['low', 'microseconds', 'high'].map((name) => own(time, name));
    const ordered =
      typeof low === 'number' &&
      typeof middle === 'number' &&
      typeof high === 'number' &&
      0 < low &&
      low <= middle &&
      middle <= high &&
      high < Infinity;
    if (!ordered || own(time, 'kind') !== 'modelled') throw new Malformed('its modelled time is none');
    read.modelled = modelled as ModelledTime;
  }
  return read;
}

/** An object's own fields; what it inherits is nobody's answer. */
function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value))
    throw new Malformed(`${what} is not an object`);
  return value as Fields;
}

function own(fields: Fields, name: string): unknown {
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}

function text(fields: Fields, name: string): string {
  const value = own(fields, name);
  if (typeof value !== 'string') throw new Malformed(`\`${name}\` is not text`);
  return value;
}

function whole(fields: Fields, name: string): number {
  const value = own(fields, name);
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new Malformed(`\`${name}\` is not a whole number`);
  return value;
}

function list(fields: Fields, name: string): readonly unknown[] {
  const value = own(fields, name);
  if (!Array.isArray(value)) throw new Malformed(`\`${name}\` is not a list`);
  // A hole is what no reader expects.
  return Array.from(value);
}

function bytes(fields: Fields, name: string, length: number): Uint8Array {
  const value = own(fields, name);
  if (!(value instanceof Uint8Array) || value.length !== length)
    throw new Malformed(`\`${name}\` is not ${length} bytes`);
  return value;
}

function printed(fields: Fields, { limits }: RunRequest): string {
  const value = text(fields, 'printed');
  if (value.length > limits.printBytes) throw new Malformed('it printed more than it may');
  return value;
}

/** Nothing but numbers, text, flags, lists and objects of these. */
function plain(value: unknown, depth: number): void {
  if (value === undefined || ['number', 'string', 'boolean'].includes(typeof value)) return;
  if (depth === 0 || typeof value !== 'object' || value === null)
    throw new Malformed('a finding holds what is no data');
  for (const one of Object.values(value)) plain(one, depth - 1);
}
