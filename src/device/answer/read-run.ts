/** What a child process says of a run, virtual or on a GPU: complete and of the form that was asked for, or a crash. */
import type { Finding, LaunchProfile, ModelledLaunch, ModelledTime } from '../../vgpu/index.ts';
import type { SampledProfileResult } from '../sampled-profile.ts';
import type { CallResult, Device, RunRequest, RunResult, SealedOutput } from '../types.ts';
import {
  amount,
  bytes,
  type Fields,
  fieldsOf,
  items,
  list,
  Malformed,
  oneOf,
  orCrash,
  own,
  plain,
  sizeOf,
  text,
  whole,
  written,
} from './fields.ts';

/** The result of a virtual run, or a crash that says what was wrong with the answer. */
export function readRunAnswer(answer: unknown, request: RunRequest): { result: RunResult; usable: boolean } {
  return orCrash('the virtual GPU', () => readRunResult(answer, request, 'virtual'));
}

/** The result of a profile by sample, or a crash that says what was wrong with the answer. */
export function readProfileAnswer(answer: unknown): { result: SampledProfileResult; usable: boolean } {
  return orCrash('the virtual GPU', (): SampledProfileResult => {
    const fields = fieldsOf(answer, 'the answer');
    const status = oneOf(fields, 'status', ['completed', 'exceeded', 'unsupported', 'crashed']);
    if (status === 'exceeded')
      return {
        status,
        limit: oneOf(fields, 'limit', ['time', 'instructions', 'memory']),
        message: text(fields, 'message'),
      };
    if (status !== 'completed') return { status, message: text(fields, 'message') };
    const { profile, modelled } = readProfile(fields, true);
    if (!profile || !modelled) throw new Malformed('it has no profile, or no time');
    return { status, profile, modelled };
  });
}

/** @throws Malformed */
export function readRunResult(answer: unknown, request: RunRequest, kind: Device['kind']): RunResult {
  const fields = fieldsOf(answer, 'the answer');
  const status = text(fields, 'status');
  switch (status) {
    case 'completed': {
      const calls = items(own(fields, 'calls'), 'calls', request.calls.length);
      if (own(fields, 'measured') !== undefined) throw new Malformed('a run measures nothing');
      const result = {
        status,
        calls: calls.map((call) => readCall(call, request)),
        findings: list(fields, 'findings').map(readFinding),
        printed: printed(fields, request),
      } as const;
      return { ...result, ...readProfile(fields, kind === 'virtual' && request.profile !== undefined) };
    }
    case 'faulted': {
      const callsCompleted = whole(fields, 'callsCompleted');
      if (callsCompleted >= request.calls.length)
        throw new Malformed(`a fault after ${callsCompleted} of ${request.calls.length} calls`);
      const findings = list(fields, 'findings').map(readFinding);
      return { status, findings, message: text(fields, 'message'), printed: printed(fields, request), callsCompleted };
    }
    case 'exceeded': {
      const limit = oneOf(fields, 'limit', ['time', 'instructions', 'memory', 'output']);
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
  const outputs = items(own(fields, 'outputs'), 'outputs', plan.outputs.length);
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
  const sealed = outputs.map((output, i): SealedOutput => {
    const size = sizeOf(plan.outputs[i]!);
    const one = fieldsOf(output, 'an output');
    return { bytes: bytes(one, 'bytes', size.bytes), written: written(one, size.elements) };
  });
  const threadInstructions = whole(fields, 'threadInstructions');
  return { outputs: sealed, changedInputs, threadInstructions, milliseconds: amount(fields, 'milliseconds') };
}

/** Findings are read by their text and numbers; what they hold besides is plain data for people. @throws Malformed */
export function readFinding(finding: unknown): Finding {
  const fields = fieldsOf(finding, 'a finding');
  for (const name of ['kind', 'message', 'kernel', 'instruction']) text(fields, name);
  for (const name of ['ptxLine', 'count']) whole(fields, name);
  const source = own(fields, 'source');
  if (source !== undefined) {
    const place = fieldsOf(source, 'the line of a finding');
    text(place, 'file');
    whole(place, 'line');
  }
  return plain(finding, 'a finding', 4);
}

type Profiled = Pick<Extract<RunResult, { status: 'completed' }>, 'profile' | 'modelled' | 'launches'>;

/** Only where it was asked for; a modelled time is a number with an interval around it. */
function readProfile(fields: Fields, asked: boolean): Profiled {
  const names = ['profile', 'modelled', 'launches'] as const;
  const given = names.filter((name) => own(fields, name) !== undefined);
  if (given.length === 0) return {};
  if (!asked) throw new Malformed('it has a profile that nobody asked for');
  const read: Profiled = {};
  if (given.includes('profile')) read.profile = list(fields, 'profile').map(readLaunchProfile);
  if (given.includes('modelled')) read.modelled = readModelled(own(fields, 'modelled'));
  if (given.includes('launches')) {
    read.launches = list(fields, 'launches').map((one): ModelledLaunch => {
      const launch = fieldsOf(one, 'a launch');
      const demand = fieldsOf(own(launch, 'demand'), 'what a launch asks for');
      const [threads, sharedBytes] = [whole(demand, 'threads'), whole(demand, 'sharedBytes')];
      const registers = own(demand, 'registers') === undefined ? undefined : whole(demand, 'registers');
      const profile = readLaunchProfile(own(launch, 'profile'));
      return { profile, demand: { threads, registers, sharedBytes }, spillBytes: amount(launch, 'spillBytes') };
    });
  }
  return read;
}

function readLaunchProfile(profile: unknown): LaunchProfile {
  const fields = fieldsOf(profile, 'a profile');
  text(fields, 'kernel');
  for (const name of ['sampledBlocks', 'totalBlocks', 'threadInstructions', 'warpInstructions']) amount(fields, name);
  for (const name of ['byClass', 'global', 'reuse', 'shared', 'atomics', 'local', 'barriers'])
    fieldsOf(own(fields, name), `the profile's \`${name}\``);
  list(fields, 'allocations');
  return plain(profile, 'a profile', 6);
}

function readModelled(modelled: unknown): ModelledTime {
  const time = fieldsOf(modelled, 'the modelled time');
  const [low, middle, high] = (['low', 'microseconds', 'high'] as const).map((name) => amount(time, name));
  if (!(0 < low! && low! <= middle! && middle! <= high!) || own(time, 'kind') !== 'modelled')
    throw new Malformed('its modelled time is none');
  for (const name of ['gpu', 'limitedBy']) text(time, name);
  amount(time, 'occupancy');
  return plain(modelled, 'the modelled time', 4);
}

function printed(fields: Fields, { limits }: RunRequest): string {
  const value = text(fields, 'printed');
  if (value.length > limits.printBytes) throw new Malformed('it printed more than it may');
  return value;
}
