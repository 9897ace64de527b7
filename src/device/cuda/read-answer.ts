/** What a GPU's child process says, read field by field against what it was asked: complete and of that form, or a crash. */
import {
  amount,
  byteArray,
  type Fields,
  fieldsOf,
  flag,
  items,
  list,
  Malformed,
  oneOf,
  optional,
  own,
  sizeOf,
  text,
  whole,
  wholeNumber,
} from '../answer/fields.ts';
import { readRunResult } from '../answer/read-run.ts';
import type { DeviceCondition } from '../measure.ts';
import type { RunRequest } from '../types.ts';
import type { GpuIdentity } from './gpu.ts';
import type { Answer, Opened, Requests } from './requests.ts';
import type { TimedPlan } from './timing/instance.ts';
import type { Prepared, TimedAnswer, TimedRequest } from './timing/session.ts';

/** What is asked, with all that its answer must fit. */
export type Question =
  | { readonly name: 'open'; readonly input: null; readonly fake: boolean }
  | { readonly name: 'run'; readonly input: RunRequest }
  | { readonly name: 'prepare'; readonly input: Requests['prepare']['in'] }
  | { readonly name: 'window'; readonly input: TimedRequest; readonly timed: TimedPlan }
  | { readonly name: 'condition'; readonly input: Requests['condition']['in'] };

export type AnswerTo<Asked extends Question> = Requests[Asked['name']]['out'];

/** Bytes that the longest answer can have in its tensors. */
export function mostAnswerBytes(question: Question): number {
  switch (question.name) {
    case 'run': {
      const { calls, plan } = question.input;
      const call = plan.outputs.map(sizeOf).reduce((sum, { elements, bytes }) => sum + elements + bytes, 0);
      return calls.length * call;
    }
    case 'window': {
      const { outputs } = question.timed.plan;
      return question.input.keep.length * outputs.reduce((sum, output) => sum + sizeOf(output).bytes, 0);
    }
    default:
      return 0;
  }
}

/** The answer, built anew from what was read. @throws Malformed */
export function readAnswer<Asked extends Question>(said: unknown, question: Asked): Answer<AnswerTo<Asked>> {
  const fields = fieldsOf(said, 'the answer');
  if (!flag(fields, 'ok')) return { ok: false, message: text(fields, 'message'), usable: flag(fields, 'usable') };
  return { ok: true, value: readValue(own(fields, 'value'), question) as AnswerTo<Asked> };
}

function readValue(value: unknown, question: Question): AnswerTo<Question> {
  switch (question.name) {
    case 'open':
      return readOpened(value, question.fake);
    case 'run': {
      const run = fieldsOf(value, 'a run');
      const result = readRunResult(own(run, 'result'), question.input, 'cuda');
      return { result, usable: flag(run, 'usable') };
    }
    case 'prepare':
      return readPrepared(value, question.input.mostCalls);
    case 'window':
      return readWindow(value, question.input, question.timed);
    case 'condition':
      return { conditions: list(fieldsOf(value, 'the answer'), 'conditions').map(readCondition) };
  }
}

/** A driver that stands in for the real one never passes for it. */
function readOpened(value: unknown, fake: boolean): Opened {
  const fields = fieldsOf(value, 'the answer');
  const simulated = flag(fields, 'simulated');
  if (fake && !simulated) throw new Malformed('it takes a simulated GPU for a real one');
  const driverVersion = optional(fields, 'driverVersion', text);
  return {
    identity: readIdentity(own(fields, 'identity')),
    simulated,
    ...(driverVersion === undefined ? {} : { driverVersion }),
  };
}

function readIdentity(value: unknown): GpuIdentity {
  const fields = fieldsOf(value, "the GPU's identity");
  const [major, minor] = items(own(fields, 'capability'), 'capability', 2).map((n) => wholeNumber(n, 'capability', 99));
  return {
    name: text(fields, 'name'),
    uuid: text(fields, 'uuid'),
    capability: [major!, minor!],
    multiprocessors: whole(fields, 'multiprocessors'),
    l2Bytes: whole(fields, 'l2Bytes'),
    memoryBytes: whole(fields, 'memoryBytes'),
    cuda: text(fields, 'cuda'),
  };
}

function readPrepared(value: unknown, asked: number): Prepared {
  const fields = fieldsOf(value, 'the answer');
  const status = oneOf(fields, 'status', ['ready', 'unsupported']);
  if (status === 'unsupported') return { status, message: text(fields, 'message') };
  const mostCalls = whole(fields, 'mostCalls', asked);
  if (mostCalls === 0) throw new Malformed('it is ready for no call');
  const resolution = fieldsOf(own(fields, 'resolution'), 'the resolution');
  const [device, host] = [positive(resolution, 'device'), positive(resolution, 'host')];
  const environment = optional(fields, 'environment', readVersions);
  return {
    ...{ status, mostCalls, resolution: { device, host }, repeatable: flag(fields, 'repeatable') },
    ...(environment === undefined ? {} : { environment }),
  };
}

/** Names and what stands for them, all text. */
function readVersions(fields: Fields, name: string): Record<string, string> {
  const versions = fieldsOf(own(fields, name), name);
  return Object.fromEntries(Object.keys(versions).map((key) => [key, text(versions, key)]));
}

function readWindow(value: unknown, { work, operands, keep }: TimedRequest, { plan }: TimedPlan): TimedAnswer {
  const fields = fieldsOf(value, 'the answer');
  // No call takes no time; an empty one may take less than a clock shows.
  const time = work === 'calls' ? positive : amount;
  const indices = (name: string) => {
    const found = list(fields, name).map((index) => wholeNumber(index, name, operands.length - 1));
    if (new Set(found).size < found.length) throw new Malformed(`\`${name}\` names a call twice`);
    return found;
  };
  return {
    deviceMicroseconds: time(fields, 'deviceMicroseconds'),
    hostMicroseconds: time(fields, 'hostMicroseconds'),
    different: indices('different'),
    changed: indices('changed'),
    kept: items(own(fields, 'kept'), 'kept calls', keep.length).map((call) =>
      items(call, 'outputs', plan.outputs.length).map((output, i) =>
        byteArray(output, 'an output', sizeOf(plan.outputs[i]!).bytes),
      ),
    ),
    conditions: list(fields, 'conditions').map(readCondition),
  };
}

const READINGS = ['smClockMHz', 'memoryClockMHz', 'temperatureC', 'powerWatts', 'otherProcesses'] as const;

function readCondition(condition: unknown): DeviceCondition {
  const fields = fieldsOf(condition, 'a condition');
  const readings = READINGS.flatMap((name) => {
    const reading = optional(fields, name, amount);
    return reading === undefined ? [] : [[name, reading] as const];
  });
  const throttled = optional(fields, 'throttled', readReasons);
  return { ...Object.fromEntries(readings), ...(throttled === undefined ? {} : { throttled }) };
}

function readReasons(fields: Fields, name: string): string[] {
  return list(fields, name).map((reason) => {
    if (typeof reason !== 'string') throw new Malformed('a reason is not text');
    return reason;
  });
}

function positive(fields: Fields, name: string): number {
  const value = amount(fields, name);
  if (value === 0) throw new Malformed(`\`${name}\` is nothing`);
  return value;
}
