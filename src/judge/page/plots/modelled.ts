/** A modelled time beside the floor, and under the roof of its GPU. */
import type { Evidence } from '../../evidence-schema.ts';
import { fixed, line, rect, svg, text } from './svg.ts';

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
