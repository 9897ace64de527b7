/**
 * Two clocks. The device's (events in the stream) sees the work alone, but only the stream it is put in, and is read through the library that a cheat patches; the
 * host's sees everything until a full synchronise, and pays for submitting and waiting. For honest work they differ by what the same path costs with nothing in
 * it, which null plans measure beside every block. So:
 *
 *  - host less device may not be less than nothing, nor more than that of the null plan by more than a null plan costs: else the measurement is void;
 *  - whatever they still disagree about *in the ratio* is added to the noise floor, so a device clock that flatters the candidate by d gains nothing by it.
 *
 * A clock also has steps: two times closer than one step are equal. The step is what the device says, or what its times show where that is more.
 */
import type { Refusal } from './causes.ts';
import { median } from './median.ts';
import { type Records, samplesOf } from './records.ts';

/** What measuring costs on a subject's path, and how its clocks agree. Microseconds of a window. */
export interface ClockAgreement {
  readonly subject: string;
  /** Windows with calls. */
  readonly windows: number;
  /** Medians of the subject's windows. */
  readonly deviceMicroseconds: number;
  readonly hostMicroseconds: number;
  /** Medians of its null plan's windows. */
  readonly nullDeviceMicroseconds: number;
  readonly nullHostMicroseconds: number;
  /** Median of host less device, over that of the null plan. */
  readonly excessMicroseconds: number;
}

export function clockAgreement(records: Records, subject: string): ClockAgreement {
  const calls = samplesOf(records, subject, 'calls').map(({ window }) => window);
  const nulls = samplesOf(records, subject, 'null').map(({ window }) => window);
  const gap = (windows: typeof calls) =>
    median(windows.map(({ hostMicroseconds, deviceMicroseconds }) => hostMicroseconds - deviceMicroseconds));
  return {
    subject,
    windows: calls.length,
    deviceMicroseconds: median(calls.map(({ deviceMicroseconds }) => deviceMicroseconds)),
    hostMicroseconds: median(calls.map(({ hostMicroseconds }) => hostMicroseconds)),
    nullDeviceMicroseconds: median(nulls.map(({ deviceMicroseconds }) => deviceMicroseconds)),
    nullHostMicroseconds: median(nulls.map(({ hostMicroseconds }) => hostMicroseconds)),
    excessMicroseconds: gap(calls) - gap(nulls),
  };
}

/** Whether the two clocks can both be right. */
export function clocksDisagree({ facts }: Pick<Records, 'facts'>, agreement: ClockAgreement): Refusal | undefined {
  const { subject, deviceMicroseconds, hostMicroseconds, nullHostMicroseconds, excessMicroseconds } = agreement;
  const step = facts.deviceResolutionMicroseconds + facts.hostResolutionMicroseconds;
  const µs = (x: number) => `${x.toPrecision(3)} µs`;
  if (deviceMicroseconds > hostMicroseconds + step) {
    return {
      cause: 'clocks-disagree',
      subject,
      reason: `Windows of ${subject} took ${µs(deviceMicroseconds)} by the device's clock, longer than the ${µs(hostMicroseconds)} that passed on the host meanwhile. One of the clocks is wrong.`,
    };
  }
  if (Math.abs(excessMicroseconds) <= nullHostMicroseconds + step) return undefined;
  const reason =
    excessMicroseconds > 0
      ? `${µs(excessMicroseconds)} of each window of ${subject} passed on the host's clock unseen by the device's, beyond what measuring costs; a null plan takes ${µs(nullHostMicroseconds)} in all. Work was done outside the device's clock, or that clock was tampered with.`
      : `Windows of ${subject} end ${µs(-excessMicroseconds)} sooner on the host's clock than a null plan's would after the same work; a null plan takes ${µs(nullHostMicroseconds)} in all. The host did not wait for the work, or a clock is wrong.`;
  return { cause: 'clocks-disagree', subject, reason };
}

/** Times closer than this, as a share of themselves, are one time but for rounding. */
const SAME = 1e-9;
/** Share of equal neighbours from which times lie on steps. */
const STEPPED = 0.1;

/** The step of the device's clock, microseconds: as stated, or as the times show it. */
export function resolutionOf({ facts }: Pick<Records, 'facts'>, times: readonly number[]): number {
  const sorted = Float64Array.from(times).sort();
  let [ties, least] = [0, Infinity];
  for (let i = 1; i < sorted.length; i++) {
    const gap = sorted[i]! - sorted[i - 1]!;
    if (gap <= SAME * sorted[i]!) ties++;
    else least = Math.min(least, gap);
  }
  const shown = ties > STEPPED * sorted.length && Number.isFinite(least) ? least : 0;
  return Math.max(facts.deviceResolutionMicroseconds, shown);
}
