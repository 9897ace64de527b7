/** Times against baselines: what they say, how they were taken, and the raw windows as pictures. */

import type { Evidence } from '../evidence-schema.ts';
import { causes } from '../timing/causes.ts';
import { intervalText, percent, timeText } from '../timing/words.ts';
import { type ReportEvidence, readNumber } from '../timing-evidence.ts';
import { escapeHtml as e, prose, section, table } from './html.ts';
import { clockPlot, intervalPlot, samplePlot } from './plots/times.ts';

const SAID = {
  faster: 'faster',
  'as-fast': 'as fast',
  slower: 'slower',
  undecided: 'undecided',
  void: 'void',
} as const;

export function measuredTimes({ timing }: Evidence): string {
  if (timing === undefined) return '';
  const { report, claim } = timing;
  if (report === undefined) return section('Times', `<p>${prose(timing.unclaimed ?? '')}</p>`);
  const simulated = report.source === 'simulated';
  const banner = simulated
    ? '<p class="banner">Simulated clocks: nothing here was measured, and nothing is claimed of it.</p>'
    : '';
  const words = claim
    ? `<ul>${claim.words
        .slice(1)
        .map((one) => `<li>${prose(one)}</li>`)
        .join('')}</ul>`
    : '';
  return section(
    simulated ? 'Times, of simulated clocks' : 'Times, measured',
    banner + (words || `<p>${prose(report.reason)}</p>`) + refusal(report) + pictures(report) + howTaken(report),
  );
}

/** Why nothing follows from the times. */
function refusal({ refusal: refused }: ReportEvidence): string {
  if (refused === undefined) return '';
  const known = Object.entries(causes).find(([cause]) => cause === refused.cause)?.[1];
  const cheats =
    refused.cheats.length > 0
      ? ` Cheats that look like this: ${e(refused.cheats.join(', '))}; a broken clock does too.`
      : '';
  return `<p><b>${e(refused.cause)}</b>${known ? `: ${e(known.means)}` : ''}.${cheats}</p>`;
}

function pictures(report: ReportEvidence): string {
  const ratios =
    report.comparisons.length > 0
      ? `<figure>${intervalPlot(report)}<figcaption>How many times as fast the candidate is, with the interval. In the grey band no difference means anything: it is the noise floor, how far the same kernel is from itself.</figcaption></figure>`
      : '';
  const samples =
    report.records.length > 0
      ? `<figure>${samplePlot(report)}<figcaption>Every window that counts, in the order taken, as time of a call by the device's clock; a stripe is one set of fresh processes.</figcaption></figure>
<figure>${clockPlot(report)}<figcaption>The same windows on both clocks, what measuring itself costs (a null plan's window) taken off: on the line the clocks agree.</figcaption></figure>`
      : '';
  return ratios + samples;
}

function howTaken(report: ReportEvidence): string {
  const { facts, plan, condition } = report;
  const range = (of: { low: number | string; high: number | string } | undefined, unit: string) =>
    of === undefined
      ? 'could not be read'
      : of.low === of.high
        ? `${of.low} ${unit}`
        : `${of.low} to ${of.high} ${unit}`;
  const times = report.times.map(({ subject, microseconds, nullMicroseconds, windows }) => {
    const clock = report.clocks.find((one) => one.subject === subject);
    return [
      e(subject),
      e(timeText(readNumber(microseconds))),
      e(timeText(readNumber(nullMicroseconds))),
      windows.toLocaleString('en-US'),
      clock ? e(`${readNumber(clock.excessMicroseconds).toPrecision(2)} µs a window`) : '',
    ];
  });
  const comparisons = report.comparisons.map((one) => {
    const { ratio, low, high } = one.speedup;
    const speedup = { ratio: readNumber(ratio), low: readNumber(low), high: readNumber(high) };
    const floor = one.noiseFloor;
    return [
      e(one.baseline),
      `<b>${SAID[one.outcome]}</b>`,
      e(intervalText(speedup)),
      `${percent(readNumber(floor.ratio) - 1)}<br><span class="dim">itself ${percent(readNumber(floor.aa) - 1)}, clock's step ${percent(readNumber(floor.resolution) - 1)}, two clocks ${percent(readNumber(floor.clocks) - 1)}, clock speed ${percent(readNumber(floor.coreClock) - 1)}</span>`,
      `${percent(one.alpha)} of chance`,
      percent(readNumber(one.betweenProcesses)),
    ];
  });
  const rows = [
    ['Device', e(facts.device)],
    [
      'Processes',
      `${report.processes} fresh ones, looked at ${report.looks === 1 ? 'once' : `${report.looks} times`}; ${plan.blocks} blocks each, the first not counted`,
    ],
    [
      'Windows',
      `${report.callsPerWindow} calls each, every one on operands that came once, every output compared; ${facts.cache} caches`,
    ],
    [
      'Least possible',
      report.floorMicroseconds === undefined
        ? 'not known for this device'
        : e(`${timeText(report.floorMicroseconds)} a call`),
    ],
    ["Multiprocessors' clock", e(`${range(condition.smClockMHz, 'MHz')}${facts.clocksLocked ? ', locked' : ''}`)],
    ['Temperature', e(range(condition.temperatureC, '°C'))],
    ['Held down by', e(condition.throttled.join(', ') || 'nothing that was told')],
    ['Others on the device', `in ${condition.windowsWithOtherProcesses} windows`],
    [
      "Clocks' steps",
      `${facts.deviceResolutionMicroseconds} µs on the device, ${facts.hostResolutionMicroseconds} µs on the host`,
    ],
    ...Object.entries(facts.environment).map(([name, value]) => [e(name), e(value)]),
  ];
  return (
    table(
      ['Baseline', '', 'Speedup (interval)', 'Noise floor', 'Interval misses by', 'Between processes'],
      comparisons,
    ) +
    table(['Subject', 'A call', 'An empty kernel', 'Windows', 'Host less device, beyond a null plan'], times) +
    `<details><summary>How they were taken</summary>${table(['', ''], rows)}</details>`
  );
}
