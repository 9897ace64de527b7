/**
 * What no honest window shows. Asked of every window that was taken, settling and pilot ones too, before any number is made of them: a single
 * wrong output in a timed call is the end, since the candidate cannot know which calls are timed (all are) or which are checked (all are).
 */
import type { Refusal } from './causes.ts';
import type { Records, Sample } from './records.ts';

/** Windows of a subject from which the same time on both clocks, to the last digit, is no accident. */
const ALIKE = 8;

/** Looks at windows as they come; remembers operands and times of all earlier ones. */
export class WindowCheck {
  readonly #operands = new Map<string, Set<string>>();
  readonly #times = new Map<string, { count: number; device: number; host: number; alike: boolean }>();

  /** The first thing in these windows that no honest window shows. */
  refusal(samples: readonly Sample[]): Refusal | undefined {
    for (const sample of samples) {
      const found = impossible(sample) ?? unchecked(sample) ?? this.#reused(sample) ?? this.#alike(sample);
      if (found !== undefined) return { ...found, window: sample };
    }
    return undefined;
  }

  #reused({ request, window }: Sample): Refusal | undefined {
    if (request.work === 'null') return undefined;
    let seen = this.#operands.get(request.subject);
    if (seen === undefined) {
      seen = new Set();
      this.#operands.set(request.subject, seen);
    }
    if (seen.has(window.operands)) {
      return {
        cause: 'reused-operands',
        subject: request.subject,
        reason: `Operands ${window.operands} of ${request.subject} were given twice; a kept answer would pass. Draw new ones for every window.`,
      };
    }
    seen.add(window.operands);
    return undefined;
  }

  #alike({ request, window }: Sample): Refusal | undefined {
    if (request.work === 'null') return undefined;
    const key = `${request.subject} ${request.calls}`;
    const { deviceMicroseconds: device, hostMicroseconds: host } = window;
    const first = this.#times.get(key);
    if (first === undefined) {
      this.#times.set(key, { count: 1, device, host, alike: true });
      return undefined;
    }
    first.count++;
    first.alike &&= device === first.device && host === first.host;
    if (first.alike && first.count >= ALIKE) {
      return {
        cause: 'identical-samples',
        subject: request.subject,
        reason: `The first ${first.count} windows of ${request.subject} took exactly ${device} µs on the device's clock and ${host} µs on the host's: these times were not read from clocks.`,
      };
    }
    return undefined;
  }
}

function impossible({ request, window }: Sample): Refusal | undefined {
  for (const [clock, time] of [
    ['device', window.deviceMicroseconds],
    ['host', window.hostMicroseconds],
  ] as const) {
    // A null plan may be shorter than the device's clock can show.
    const least = request.work === 'null' && clock === 'device' ? time >= 0 : time > 0;
    if (!(Number.isFinite(time) && least)) {
      return {
        cause: 'impossible-sample',
        subject: request.subject,
        reason: `A window of ${request.subject} took ${time} µs by the ${clock}'s clock; a call takes time.`,
      };
    }
  }
  return undefined;
}

function unchecked({ request, window }: Sample): Refusal | undefined {
  if (window.outputs === 'right') return undefined;
  const subject = request.subject;
  const what = request.work === 'null' ? `the null plan of ${subject}` : subject;
  return window.outputs === 'wrong'
    ? {
        cause: 'wrong-output',
        subject,
        reason: `A timed call of ${what} gave a wrong output (operands ${window.operands || 'none'}). A speed of wrong answers is no speed.`,
      }
    : {
        cause: 'unchecked-output',
        subject,
        reason: `The outputs of a timed call of ${what} were not checked. Only times of checked calls count.`,
      };
}

/**
 * No kernel is faster than the floor: the candidate's windows against the least time the device could take for a call.
 * Noise only adds to a time, apart from the clock's own steps, so one window under the floor is enough.
 */
export function belowFloor(
  records: Pick<Records, 'facts' | 'calls'>,
  samples: readonly Sample[],
  floorMicroseconds: number,
): Refusal | undefined {
  const least = floorMicroseconds * records.calls - 2 * records.facts.deviceResolutionMicroseconds;
  const under = samples.filter(({ window }) => window.deviceMicroseconds < least);
  if (under.length === 0) return undefined;
  const fastest = Math.min(...under.map(({ window }) => window.deviceMicroseconds)) / records.calls;
  const { subject } = under[0]!.request;
  return {
    cause: 'below-floor',
    subject,
    reason: `${under.length} of ${samples.length} windows of ${subject} took less than this device needs for the task whatever the kernel: ${fastest.toPrecision(3)} µs a call, where no kernel can take less than ${floorMicroseconds.toPrecision(3)} µs. Either the work was not done in that time, or a clock or the floor is wrong; no claim rests on it.`,
  };
}
