/** `assay reproduce evidence.json`: judge again what the evidence says was judged, and say what agrees. */
import { readFileSync } from 'node:fs';
import { type Agreement, parseEvidence, reproduce as reproduceEvidence } from '../../judge/index.ts';
import { type DeviceOptions, openDevices } from '../devices.ts';
import type { Places } from '../places.ts';
import { coloursFor } from '../terminal/colour.ts';
import { clip, printable, wrap } from '../terminal/format.ts';

export interface ReproduceOptions extends DeviceOptions {
  json: boolean;
}

const WIDTH = 79;

/** Judges again and prints; 0 where the verdict came out the same, 1 where it did not. */
export async function reproduce(
  file: string,
  options: ReproduceOptions,
  places: Places,
  signal: AbortSignal,
): Promise<number> {
  const evidence = parseEvidence(readFileSync(file, 'utf8'));
  const devices = await openDevices(options, places, signal);
  const { reproduced, again, fresh, agreements, notCompared } = await reproduceEvidence(evidence, {
    ...{ ...places, signal, hardware: devices.hardware },
  }).finally(devices.close);
  if (options.json) {
    const json = {
      reproduced,
      evidence: evidence.verdict,
      again: again.verdict,
      fresh: fresh?.verdict,
      agreements,
      notCompared,
      devices: devices.words,
    };
    process.stdout.write(`${JSON.stringify(json, null, 2)}\n`);
    return reproduced ? 0 : 1;
  }
  const out = (line = '') => process.stdout.write(`${line}\n`);
  const colours = coloursFor(process.stdout);
  out(colours.strong(reproduced ? colours.good('reproduced') : colours.bad('not reproduced')));
  out(wrap(printable(again.verdict.reason), WIDTH));
  out();
  for (const agreement of agreements) out(line(agreement));
  for (const one of notCompared) out(wrap(`  not compared: ${printable(one)}`, WIDTH, '  '));
  if (!fresh) out(wrap('Nothing was run then, so there were no seeds to give again.', WIDTH));
  out();
  out(
    wrap(
      `The evidence was made on ${evidence.madeAt.slice(0, 10)} by version ${evidence.environment.assay} on ${printable(evidence.device.name)}.`,
      WIDTH,
    ),
  );
  out(wrap(printable(devices.words), WIDTH));
  return reproduced ? 0 : 1;
}

/** `agrees   machine code`, or both sides where they differ. */
function line({ what, agrees, before, now }: Agreement): string {
  if (agrees) return `  agrees   ${what}`;
  const side = (text: string) => clip(printable(text), WIDTH - 17);
  return `  DIFFERS  ${what}\n           then  ${side(before)}\n           now   ${side(now)}`;
}
