/** `assay audit task.py kernel.cu --claim 150x`: was that published speedup true? The answer in words, with the evidence for it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Audit, audit as auditClaim, evidencePage } from '../../judge/index.ts';
import { floor } from '../../task/index.ts';
import { gpuTarget } from '../../vgpu/index.ts';
import { type DeviceOptions, openDevices } from '../devices.ts';
import { judgement, keep } from '../judgement.ts';
import type { Places } from '../places.ts';
import type { TaskOptions } from '../task-options.ts';
import { coloursFor } from '../terminal/colour.ts';
import { printable, wrap } from '../terminal/format.ts';

export interface AuditOptions extends TaskOptions, DeviceOptions {
  /** The speedup that was published. */
  claim: number;
  /** PyTorch's time that was published with it, microseconds. */
  baseline?: number;
  json: boolean;
}

const WIDTH = 79;

/** Elements and operations at which a claim's task is judged unless told otherwise: seconds. The file's own shapes are looked at besides. */
const AUDIT_SCALE = 5e7;

/** Exit code for each conclusion. */
const exitCodes = { stands: 0, smaller: 1, false: 1, open: 2, 'not judged': 2 } as const;

/** Judges the kernel, holds the claim against what was found, prints; the exit code says it too. */
export async function audit(
  taskFile: string,
  kernelFile: string,
  options: AuditOptions,
  places: Places,
  signal: AbortSignal,
): Promise<number> {
  const devices = await openDevices(options, places, signal);
  const target = gpuTarget(devices.gpu);
  const scale = options.scale ?? AUDIT_SCALE;
  const asked = { ...options, scale, devices };
  const made = await judgement(taskFile, kernelFile, asked, places, signal).finally(devices.close);
  const { evidence, verdict } = made;
  const published = made.full?.task ?? made.task;
  const audited = auditClaim(
    { ratio: options.claim, baselineMicroseconds: options.baseline },
    {
      verdict,
      floors: { cold: floor(published, target), warm: floor(published, target, 'warm') },
      gpuName: target.name,
      scaled: verdict.timing?.scaled === true,
    },
  );
  const folder = keep(made, evidencePage(evidence, audited), places);
  writeFileSync(join(folder, 'audit.json'), `${JSON.stringify(audited, null, 2)}\n`);
  if (options.json) {
    const { task, candidate } = evidence;
    const json = {
      ...audited,
      verdict: evidence.verdict,
      task: { name: task.name, hash: task.hash, mode: task.mode, scaled: task.scaled },
      candidate: candidate.hash,
      devices: devices.words,
      folder,
    };
    process.stdout.write(`${JSON.stringify(json, null, 2)}\n`);
  } else {
    print(audited, devices.words, folder);
  }
  return exitCodes[audited.conclusion];
}

function print({ conclusion, headline, because }: Audit, devices: string, folder: string): void {
  const out = (line = '') => process.stdout.write(`${line}\n`);
  const colours = coloursFor(process.stdout);
  const colour = {
    stands: colours.good,
    smaller: colours.bad,
    false: colours.bad,
    open: colours.warning,
    'not judged': colours.warning,
  }[conclusion];
  out(colours.strong(colour(wrap(headline, WIDTH))));
  for (const sentence of because) {
    out();
    out(wrap(printable(sentence), WIDTH));
  }
  out();
  out(wrap(printable(devices), WIDTH));
  out(`evidence       ${join(folder, 'evidence.html')}`);
}
