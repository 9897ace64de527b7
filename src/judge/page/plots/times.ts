/** Times as pictures: ratios against the noise floor, every window over time, and the two clocks against each other. */

import { median } from '../../timing/median.ts';
import { intervalText, ratioText, timeText } from '../../timing/words.ts';
import { type ReportEvidence, readNumber, samplesIn } from '../../timing-evidence.ts';
import { fixed, line, rect, svg, text } from './svg.ts';

const WIDTH = 640;
/** Dots that a picture has at most: of more, every so-manieth is drawn, and the picture says so. */
const MOST_DOTS = 1500;

/** A scale of logarithms: from a value to a place. */
function logScale(low: number, high: number, from: number, to: number): (value: number) => number {
  return (value) => from + ((to - from) * Math.log(value / low)) / Math.log(high / low);
}

const finite = (x: number, otherwise: number) => (Number.isFinite(x) && x > 0 ? x : otherwise);

/** Each baseline's ratio with its interval, over the band of its noise floor. */
export function intervalPlot({ comparisons }: Pick<ReportEvidence, 'comparisons'>): string {
  const rows = comparisons.map(({ baseline, outcome, speedup, noiseFloor }) => {
    const ratio = finite(readNumber(speedup.ratio), 1);
    const [low, high] = [finite(readNumber(speedup.low), ratio), finite(readNumber(speedup.high), ratio)];
    return { baseline, outcome, ratio, low, high, floor: finite(readNumber(noiseFloor.ratio), 1) };
  });
  const least = Math.min(0.95, ...rows.flatMap(({ low, floor }) => [low, 1 / floor])) / 1.02;
  const most = Math.max(1.05, ...rows.flatMap(({ high, floor }) => [high, floor])) * 1.02;
  const [left, right, top, step] = [20, 20, 8, 58];
  const base = top + rows.length * step;
  const at = logScale(least, most, left, WIDTH - right);
  const ticks = ticksOf(least, most).map(
    (tick) =>
      line(at(tick), top, at(tick), base, tick === 1 ? 'axis' : 'grid') +
      text(at(tick), base + 16, `${fixed(tick)}x`, 'middle', 'tiny'),
  );
  const drawn = rows.map(({ baseline, outcome, ratio, low, high, floor }, i) => {
    const y = top + i * step;
    const colour = outcome === 'faster' ? 'gain' : outcome === 'slower' ? 'loss' : 'neither';
    return (
      rect(at(1 / floor), y + 24, at(floor) - at(1 / floor), 26, 'noise') +
      line(at(low), y + 37, at(high), y + 37, `bar ${colour}`) +
      line(at(low), y + 31, at(low), y + 43, `bar ${colour}`) +
      line(at(high), y + 31, at(high), y + 43, `bar ${colour}`) +
      `<circle cx="${fixed(at(ratio))}" cy="${fixed(y + 37)}" r="5" class="dot ${colour}"/>` +
      text(left, y + 16, `over ${baseline}: ${intervalText({ ratio, low, high })}`, 'start', 'small')
    );
  });
  const label = `Ratios with intervals: ${rows.map(({ baseline, ratio }) => `${baseline} ${ratioText(ratio)}`).join(', ')}`;
  return svg(
    WIDTH,
    base + 42,
    label,
    ticks.join('') +
      drawn.join('') +
      text(WIDTH / 2, base + 36, 'slower than the baseline  |  times as fast', 'middle', 'tiny'),
  );
}

/** Round ratios between two: 0.8, 1, 1.25, 1.5, 2, 3, ... as many as fit. */
function ticksOf(least: number, most: number): number[] {
  const fine = [0.9, 0.95, 0.97, 0.98, 0.99, 1, 1.01, 1.02, 1.03, 1.05, 1.1];
  const coarse = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000];
  const middle = [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.75, 2];
  const span = most / least;
  const ticks = (span < 1.2 ? fine : span < 2.5 ? middle : coarse).filter((tick) => tick >= least && tick <= most);
  return ticks.includes(1) ? ticks : [1, ...ticks];
}

interface Dot {
  readonly subject: number;
  readonly process: number;
  readonly device: number;
  readonly host: number;
}

/** The windows with calls that count, in the order taken; times of a call, the host's less a null plan's. */
function dotsOf(report: ReportEvidence): Dot[] {
  const { subjects, callsPerWindow: calls, clocks } = report;
  const idle = subjects.map(({ id }) => {
    const clock = clocks.find(({ subject }) => subject === id);
    return clock === undefined ? 0 : readNumber(clock.nullHostMicroseconds) - readNumber(clock.nullDeviceMicroseconds);
  });
  return report.records.flatMap(({ process, blocks }) =>
    blocks.flatMap((block) =>
      samplesIn(report, block).flatMap(({ request, window }): Dot[] => {
        if (request.work !== 'calls') return [];
        const subject = subjects.findIndex(({ id }) => id === request.subject);
        const { deviceMicroseconds, hostMicroseconds } = window;
        const device = deviceMicroseconds / calls;
        const host = (hostMicroseconds - idle[subject]!) / calls;
        return device > 0 && host > 0 ? [{ subject, process, device, host }] : [];
      }),
    ),
  );
}

/** A share of the dots that fits, evenly over all. */
function thinned(dots: readonly Dot[]): readonly Dot[] {
  const every = Math.ceil(dots.length / MOST_DOTS);
  return every <= 1 ? dots : dots.filter((_, i) => i % every === 0);
}

const colourOf = (subject: number) => `s${subject % 7}`;

function legend({ subjects }: Pick<ReportEvidence, 'subjects'>, y: number, said: (subject: number) => string): string {
  return subjects
    .map(({ id }, i) => {
      const [x, row] = [20 + (i % 2) * 310, y + 18 * Math.floor(i / 2)];
      return `<circle cx="${x}" cy="${row - 4}" r="4" class="dot ${colourOf(i)}"/>${text(x + 10, row, `${id}${said(i)}`, 'start', 'tiny')}`;
    })
    .join('');
}

/** The span of times that is drawn: all of them, but for what few outliers would squeeze the rest. */
function spanOf(times: readonly number[], ...more: number[]): [low: number, high: number] {
  const sorted = Float64Array.from(times).sort();
  const near = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 1;
  return [Math.min(near(0.001), ...more) / 1.03, Math.max(near(0.995), ...more) * 1.03];
}

/** Every window over time, by process. */
export function samplePlot(report: ReportEvidence): string {
  const all = dotsOf(report);
  if (all.length === 0) return '';
  const dots = thinned(all);
  const times = all.map(({ device }) => device);
  const fastest = times.reduce((a, b) => Math.min(a, b));
  // A floor far below would press all that there is to see into one line.
  const floor = (report.floorMicroseconds ?? 0) > fastest / 2 ? report.floorMicroseconds : undefined;
  const [low, high] = spanOf(times, ...(floor === undefined ? [] : [floor]));
  const [left, right, top, base] = [64, 12, 10, 250];
  const y = logScale(low, high, base, top);
  const x = (i: number) => left + ((WIDTH - left - right) * (i + 0.5)) / dots.length;
  const clip = (place: number) => Math.max(top, Math.min(base, place));
  const processes = [...new Set(dots.map(({ process }) => process))];
  const stripes = processes.map((process, i) => {
    const [first, last] = [
      dots.findIndex((dot) => dot.process === process),
      dots.findLastIndex((dot) => dot.process === process),
    ];
    const [from, to] = [x(first - 0.5), x(last + 0.5)];
    const stripe = i % 2 === 0 ? rect(from, top, to - from, base - top, 'stripe') : '';
    return (
      stripe + text((from + to) / 2, base + 14, processes.length <= 16 ? String(process + 1) : '', 'middle', 'tiny')
    );
  });
  const marks = [low * 1.03, Math.sqrt(low * high), high / 1.03].map(
    (time) =>
      line(left, y(time), WIDTH - right, y(time), 'grid') + text(left - 6, y(time) + 4, timeText(time), 'end', 'tiny'),
  );
  const least =
    floor === undefined
      ? ''
      : line(left, y(floor), WIDTH - right, y(floor), 'limit') +
        text(WIDTH - right - 4, y(floor) - 5, `no kernel can take less than ${timeText(floor)}`, 'end', 'tiny');
  const points = dots.map(
    ({ subject, device }, i) =>
      `<circle cx="${fixed(x(i))}" cy="${fixed(clip(y(device)))}" r="1.8" class="dot ${colourOf(subject)}"/>`,
  );
  const rows = Math.ceil(report.subjects.length / 2);
  const medians = report.subjects.map((_, i) =>
    median(all.filter(({ subject }) => subject === i).map(({ device }) => device)),
  );
  const said = (i: number) => (Number.isFinite(medians[i]!) ? `, median ${timeText(medians[i]!)}` : '');
  const left_out =
    dots.length < all.length
      ? ` (${dots.length.toLocaleString('en-US')} of ${all.length.toLocaleString('en-US')} windows drawn)`
      : '';
  const axis = text((left + WIDTH - right) / 2, base + 30, `process${left_out}`, 'middle', 'tiny');
  return svg(
    WIDTH,
    base + 44 + 18 * rows,
    'Time of a call in every window, by process',
    stripes.join('') + marks.join('') + points.join('') + least + axis + legend(report, base + 52, said),
  );
}

/** Device clock against host clock, window by window. */
export function clockPlot(report: ReportEvidence): string {
  const all = dotsOf(report);
  if (all.length === 0) return '';
  const dots = thinned(all);
  const [low, high] = spanOf(all.flatMap(({ device, host }) => [device, host]));
  const [left, right, top, base] = [150, 150, 26, 340];
  const x = logScale(low, high, left, WIDTH - right);
  const y = logScale(low, high, base, top);
  const inside = ({ device, host }: Dot) => [device, host].every((time) => time >= low && time <= high);
  const drawn = dots.filter(inside);
  const points = drawn.map(
    ({ subject, device, host }) =>
      `<circle cx="${fixed(x(host))}" cy="${fixed(y(device))}" r="1.8" class="dot ${colourOf(subject)}"/>`,
  );
  const marks = [low * 1.03, Math.sqrt(low * high), high / 1.03].map(
    (time) =>
      text(left - 6, y(time) + 4, timeText(time), 'end', 'tiny') +
      text(x(time), base + 16, timeText(time), 'middle', 'tiny'),
  );
  const out = dots.length > drawn.length ? `; ${dots.length - drawn.length} windows lie outside` : '';
  const frame =
    line(left, base, WIDTH - right, base, 'axis') +
    line(left, top, left, base, 'axis') +
    line(left, base, WIDTH - right, top, 'same');
  const axes =
    text(WIDTH / 2, base + 32, `host's clock, a call${out}`, 'middle', 'tiny') +
    text(WIDTH - right + 6, top + 10, 'both the same', 'start', 'tiny') +
    text(left - 6, top - 12, "device's clock, a call", 'start', 'tiny');
  const rows = Math.ceil(report.subjects.length / 2);
  return svg(
    WIDTH,
    base + 46 + 18 * rows,
    "The device's clock against the host's",
    frame + marks.join('') + points.join('') + axes + legend(report, base + 54, () => ''),
  );
}
