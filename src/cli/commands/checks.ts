/** `assay checks`: what the judge asks of a candidate, and which cheats and faults each question exists for. */
import { checks as registry } from '../../judge/index.ts';
import { wrap } from '../terminal/format.ts';

const WIDTH = 79;

/** Prints the registry in the order in which it is asked; always 0. */
export function checks(options: { json: boolean }): number {
  if (options.json) {
    const listed = registry.map(({ id, question, catches, stages, devices, cost }) => {
      return { id, question, catches, stages, devices, cost };
    });
    process.stdout.write(`${JSON.stringify(listed, null, 2)}\n`);
    return 0;
  }
  const out = (line = '') => process.stdout.write(`${line}\n`);
  for (const { id, question, catches, stages, devices, cost } of registry) {
    out(id);
    out(`  ${wrap(question, WIDTH - 2, '  ')}`);
    out(`  ${wrap(`for: ${catches.join(', ')}`, WIDTH - 2, '       ')}`);
    out(`  asked at: ${stages.join(', ')}; on: ${devices.join(', ')}; cost ${cost}`);
    out();
  }
  out(
    wrap(
      'Cheap questions first; the first proof ends the judgement. What a candidate cannot express, no check has to catch: a file, a clock, a thread, a stream, a patched function are refused with their line.',
      WIDTH,
    ),
  );
  return 0;
}
