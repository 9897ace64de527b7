/** The pictures of the evidence page, as SVG text. Colours are CSS variables of the page, so that light and dark both work. */
import type { Evidence } from './evidence-schema.ts';

/** Text made safe for HTML and for attribute values. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

const fixed = (x: number) => String(Number(x.toFixed(2)));

function svg(width: number, height: number, label: string, body: string): string {
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(label)}" style="max-width:${width}px">${body}</svg>`;
}

const text = (x: number, y: number, words: string, anchor = 'middle', style = '') =>
  `<text x="${fixed(x)}" y="${fixed(y)}" text-anchor="${anchor}"${style ? ` class="${style}"` : ''}>${escapeHtml(words)}</text>`;

const rect = (x: number, y: number, width: number, height: number, style: string) =>
  `<rect x="${fixed(x)}" y="${fixed(y)}" width="${fixed(width)}" height="${fixed(height)}" class="${style}"/>`;

const line = (x1: number, y1: number, x2: number, y2: number, style: string) =>
  `<line x1="${fixed(x1)}" y1="${fixed(y1)}" x2="${fixed(x2)}" y2="${fixed(y2)}" class="${style}"/>`;

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

const microseconds = (t: number) =>
  `${t < 10 ? t.toFixed(2) : t < 100 ? t.toFixed(1) : Math.round(t).toLocaleString('en-US')} µs`;

/** Modelled time with its interval, and the floor under it, on one logarithmic axis. */
export function timeBar({ modelled, floor }: Evidence): string {
  if (!modelled) return '';
  const least = Math.min(modelled.low, floor?.microseconds ?? modelled.low) / 1.5;
  const most = modelled.high * 1.5;
  const [width, left, right] = [640, 20, 20];
  const at = (t: number) => left + ((width - left - right) * Math.log(t / least)) / Math.log(most / least);
  const parts = [line(left, 60, width - right, 60, 'axis')];
  if (floor) {
    parts.push(rect(left, 40, at(floor.microseconds) - left, 20, 'forbidden'));
    parts.push(line(at(floor.microseconds), 32, at(floor.microseconds), 66, 'limit'));
    parts.push(text(at(floor.microseconds), 82, `floor ${microseconds(floor.microseconds)}`, 'middle', 'tiny'));
  }
  parts.push(rect(at(modelled.low), 44, at(modelled.high) - at(modelled.low), 12, 'interval'));
  parts.push(`<circle cx="${fixed(at(modelled.microseconds))}" cy="50" r="6" class="point"/>`);
  parts.push(text(at(modelled.microseconds), 26, `modelled ${microseconds(modelled.microseconds)}`, 'middle', 'small'));
  parts.push(text(at(modelled.low), 14, microseconds(modelled.low), 'middle', 'tiny'));
  parts.push(text(at(modelled.high), 14, microseconds(modelled.high), 'middle', 'tiny'));
  return svg(width, 92, 'Modelled time with its interval, and the floor', parts.join(''));
}

/** Peak rates that a roofline is drawn from. */
export interface Roof {
  name: string;
  bytesPerSecond: number;
  operationsPerSecond: number;
}

/** The kernel under the roof of its GPU: operations a byte moved, operations a second in the modelled time. */
export function roofline({ modelled, floor, profile }: Evidence, roof: Roof): string {
  if (!modelled || !floor || !profile || floor.operations === 0 || profile.globalBytes === 0) return '';
  const intensity = floor.operations / profile.globalBytes;
  const rate = floor.operations / (modelled.microseconds * 1e-6);
  const ridge = roof.operationsPerSecond / roof.bytesPerSecond;
  const [width, height, left, right, top, base] = [640, 300, 70, 20, 20, 250];
  const [x0, x1] = [Math.min(intensity, ridge) / 16, Math.max(intensity, ridge) * 16];
  const y1 = roof.operationsPerSecond * 3;
  const y0 = Math.min(rate / 4, x0 * roof.bytesPerSecond);
  const px = (x: number) => left + ((width - left - right) * Math.log(x / x0)) / Math.log(x1 / x0);
  const py = (y: number) => base - ((base - top) * Math.log(y / y0)) / Math.log(y1 / y0);
  const share = (100 * rate) / Math.min(roof.operationsPerSecond, intensity * roof.bytesPerSecond);
  const parts = [
    line(left, base, width - right, base, 'axis'),
    line(left, top, left, base, 'axis'),
    line(px(x0), py(x0 * roof.bytesPerSecond), px(ridge), py(roof.operationsPerSecond), 'roof'),
    line(px(ridge), py(roof.operationsPerSecond), px(x1), py(roof.operationsPerSecond), 'roof'),
    text(px(x1), py(roof.operationsPerSecond) - 7, `${fixed(roof.operationsPerSecond / 1e12)} Tflop/s`, 'end', 'tiny'),
    text(px(ridge) - 12, py(roof.operationsPerSecond) - 7, `${fixed(roof.bytesPerSecond / 1e12)} TB/s`, 'end', 'tiny'),
    `<circle cx="${fixed(px(intensity))}" cy="${fixed(py(rate))}" r="6" class="point"/>`,
    text(
      px(intensity) + 11,
      py(rate) + 4,
      `${share.toFixed(share < 10 ? 1 : 0)} % of the roof (modelled)`,
      'start',
      'small',
    ),
    text((left + width - right) / 2, base + 34, `operations a byte moved: ${fixed(intensity)}`, 'middle', 'tiny'),
    text(left, base + 16, fixed(x0), 'middle', 'tiny') + text(px(x1), base + 16, fixed(x1), 'end', 'tiny'),
    text(left, top - 6, 'operations/s', 'start', 'tiny'),
  ];
  return svg(width, height, `Roofline of ${roof.name}`, parts.join(''));
}
