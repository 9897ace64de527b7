/** Pictures of what the other stages wrote, as SVG files that stand by themselves: A/A ratios, modelled against measured times, speedups. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fixed, line, svg, text } from '../../src/judge/page/plots/svg.ts';
import type { Place, Stage } from './place.ts';

const [WIDTH, HEIGHT, EDGE] = [640, 420, 56];
const STYLE =
  '<style>text{font:11px sans-serif;fill:#333}.axis{stroke:#333}.grid{stroke:#ddd}.bar{stroke:#36c;stroke-width:1.5}.dot{fill:#36c}.warn{fill:#b00;font-weight:bold}</style>';

interface Interval {
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
}

function read<T>({ folder }: Place, name: string): T | undefined {
  const file = join(folder, `${name}.json`);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as T) : undefined;
}

const scale = (low: number, high: number, from: number, to: number) => (value: number) =>
  from + ((to - from) * Math.log(value / low)) / Math.log(high / low);

/** Intervals in order, one column each, on a logarithmic axis with a line at 1. */
export function intervals(title: string, rows: readonly (Interval & { name?: string })[]): string {
  const least = Math.min(0.98, ...rows.map(({ low }) => low)) / 1.01;
  const most = Math.max(1.02, ...rows.map(({ high }) => high)) * 1.01;
  const y = scale(least, most, HEIGHT - EDGE, EDGE);
  const x = (i: number) => EDGE + ((i + 0.5) * (WIDTH - 2 * EDGE)) / rows.length;
  const ticks = [least, 1, most].map(
    (at) =>
      line(EDGE, y(at), WIDTH - EDGE, y(at), at === 1 ? 'axis' : 'grid') +
      text(EDGE - 4, y(at) + 4, at.toFixed(3), 'end'),
  );
  const drawn = rows.map(
    ({ ratio, low, high, name }, i) =>
      line(x(i), y(low), x(i), y(high), 'bar') +
      `<circle cx="${fixed(x(i))}" cy="${fixed(y(ratio))}" r="2.5" class="dot"/>` +
      (name === undefined ? '' : text(x(i), HEIGHT - EDGE + 14 + 12 * (i % 3), name)),
  );
  return svg(WIDTH, HEIGHT, title, STYLE + text(WIDTH / 2, 20, title) + ticks.join('') + drawn.join(''));
}

/** Modelled against measured microseconds, with the model's and the measurement's intervals; the line is where both agree. */
export function scatter(title: string, dots: readonly { measured: Interval; modelled: Interval }[]): string {
  const all = dots.flatMap(({ measured, modelled }) => [measured.low, measured.high, modelled.low, modelled.high]);
  const [least, most] = [Math.min(...all) / 1.1, Math.max(...all) * 1.1];
  const [x, y] = [scale(least, most, EDGE, WIDTH - EDGE), scale(least, most, HEIGHT - EDGE, EDGE)];
  const drawn = dots.map(
    ({ measured, modelled }) =>
      line(x(measured.low), y(modelled.ratio), x(measured.high), y(modelled.ratio), 'bar') +
      line(x(measured.ratio), y(modelled.low), x(measured.ratio), y(modelled.high), 'grid') +
      `<circle cx="${fixed(x(measured.ratio))}" cy="${fixed(y(modelled.ratio))}" r="3" class="dot"/>`,
  );
  const axes =
    line(x(least), y(least), x(most), y(most), 'axis') +
    text(WIDTH / 2, HEIGHT - 12, `measured, ${least.toPrecision(2)} to ${most.toPrecision(2)} us, logarithmic`) +
    text(12, EDGE - 12, 'modelled, the same', 'start');
  return svg(WIDTH, HEIGHT, title, STYLE + text(WIDTH / 2, 20, title) + drawn.join('') + axes);
}

interface Predicted {
  readonly kernel: string;
  readonly measured: Interval;
  readonly modelled: Interval;
}

export const plotsStage: Stage = {
  name: 'plots',
  purpose: 'pictures of the A/A trials, the calibration and the speedups',
  run: async (place) => {
    const written: string[] = [];
    const mark = place.simulated ? ' (FAKE driver: no measurement)' : '';
    const write = (name: string, drawing: string) => {
      writeFileSync(
        join(place.folder, `${name}.svg`),
        drawing.replace('<svg ', '<svg xmlns="http://www.w3.org/2000/svg" '),
      );
      written.push(`${name}.svg`);
    };
    const same = read<{ trials?: { speedup?: Interval }[] }>(place, 'same');
    const trials = (same?.trials ?? []).flatMap(({ speedup }) => (speedup ? [speedup] : []));
    if (trials.length > 0) write('same', intervals(`A kernel against itself${mark}`, trials));
    const calibration = read<{ dots?: Predicted[]; score?: { spearman: number | null } }>(place, 'calibration');
    if (calibration?.dots?.length)
      write(
        'calibration',
        scatter(
          `Modelled against measured, Spearman ${calibration.score?.spearman?.toFixed(3) ?? 'not known'}${mark}`,
          calibration.dots,
        ),
      );
    const times = read<{
      reports?: { case: string; report: { comparisons: { baseline: string; speedup: Interval }[] } }[];
    }>(place, 'times');
    const speedups = (times?.reports ?? []).flatMap(({ case: name, report }) => {
      const [hardest] = [...report.comparisons].sort((a, b) => a.speedup.ratio - b.speedup.ratio);
      return hardest ? [{ ...hardest.speedup, name: name.replace(/\.cu$/, '').slice(0, 18) }] : [];
    });
    if (speedups.length > 0) write('speedups', intervals(`Speedup over the best baseline${mark}`, speedups));
    return { passed: written.length > 0, content: { written }, words: written.join(', ') || 'nothing to draw yet' };
  },
};
