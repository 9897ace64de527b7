/** Where and how much an output is wrong. */
import type { Evidence } from '../../evidence-schema.ts';
import { fixed, line, rect, svg, text } from './svg.ts';

/** Elements by error over bound, all calls together; counts on a logarithmic scale, so that one wrong element shows. */
export function errorHistogram({ tolerance }: Evidence): string {
  const bins = tolerance.edges.map((_, bin) => tolerance.outputs.reduce((n, output) => n + output.histogram[bin]!, 0));
  const most = Math.max(1, ...bins);
  const [width, height, left, base] = [640, 210, 16, 160];
  const step = (width - 2 * left) / bins.length;
  const bars = bins.map((n, bin) => {
    const x = left + bin * step;
    const tall = n === 0 ? 0 : 8 + (112 * Math.log10(n)) / Math.max(1, Math.log10(most));
    const wrong = bin === bins.length - 1;
    const label = bin === 0 ? 'exact' : wrong ? 'over' : bin === bins.length - 2 ? 'to 1' : `to 1/${2 ** (9 - bin)}`;
    const bar = rect(x + 3, base - tall, step - 6, tall, wrong ? 'bad' : 'ok');
    const amount = n === 0 ? '' : text(x + step / 2, base - tall - 5, n.toLocaleString('en-US'), 'middle', 'tiny');
    return bar + amount + text(x + step / 2, base + 16, label, 'middle', 'tiny');
  });
  const edge = left + (bins.length - 1) * step;
  const bound = line(edge, 20, edge, base, 'limit') + text(edge - 4, 16, 'bound', 'end', 'tiny');
  const axis =
    line(left, base, width - left, base, 'axis') +
    text(width / 2, base + 36, 'error as a share of the bound', 'middle', 'tiny');
  return svg(width, height, 'Histogram of errors over bounds', bars.join('') + bound + axis);
}

type Picture = NonNullable<Evidence['verdict']['picture']>;

/** The output with the elements at fault marked. */
export function regionPicture(picture: Picture): string {
  const { cellRows, cellColumns, fractions } = picture;
  const cell = Math.max(4, Math.min(24, Math.floor(384 / Math.max(cellRows, cellColumns))));
  const [width, height] = [cellColumns * cell, cellRows * cell];
  const cells = fractions.map((fraction, i) => {
    const [x, y] = [(i % cellColumns) * cell, Math.floor(i / cellColumns) * cell];
    if (fraction === 0) return '';
    return `<rect x="${x}" y="${y}" width="${cell}" height="${cell}" class="bad" opacity="${fixed(0.35 + 0.65 * fraction)}"/>`;
  });
  const frame = rect(0, 0, width, height, 'good-area');
  const body = `<g transform="translate(8 24)">${frame}${cells.join('')}${rect(0, 0, width, height, 'frame')}</g>`;
  const size = `${picture.rows.toLocaleString('en-US')} rows x ${picture.columns.toLocaleString('en-US')} columns`;
  const caption = text(8, 14, size, 'start', 'tiny');
  return svg(Math.max(width + 16, 240), height + 32, picture.title, caption + body);
}
