/** `assay judge task.py kernel.cu`: is this kernel right? A verdict with reasons, and the evidence on disk. */
import { join } from 'node:path';
import { type Evidence, evidencePage } from '../../judge/index.ts';
import { type DeviceOptions, openDevices } from '../devices.ts';
import { judgement, keep } from '../judgement.ts';
import type { Places } from '../places.ts';
import type { TaskOptions } from '../task-options.ts';
import { coloursFor } from '../terminal/colour.ts';
import { printable, significant, time, wrap } from '../terminal/format.ts';
import { speedLines, speedOf } from '../terminal/speed.ts';

export interface JudgeOptions extends TaskOptions, DeviceOptions {
  json: boolean;
  timing: boolean;
}

/** Exit code for each outcome. */
const exitCodes = { correct: 0, rejected: 1, unjudgeable: 2 } as const;

/** Judges, writes the evidence, prints the verdict; the exit code says it too. */
export async function judge(
  taskFile: string,
  kernelFile: string,
  options: JudgeOptions,
  places: Places,
  signal: AbortSignal,
): Promise<number> {
  const devices = await openDevices(options, places, signal);
  const made = await judgement(taskFile, kernelFile, { ...options, devices }, places, signal).finally(devices.close);
  const { evidence, timings, verdict } = made;
  const folder = keep(made, evidencePage(evidence), places);
  if (options.json)
    process.stdout.write(
      `${JSON.stringify({ ...summary(evidence), devices: devices.words, folder, timings }, null, 2)}\n`,
    );
  else print(evidence, devices.words, folder, options.timing ? timings : []);
  return exitCodes[verdict.outcome];
}

/** The part of the evidence that `--json` prints; the rest is in the file. */
function summary({
  verdict,
  candidate,
  task,
  findings,
  modelled,
  measured,
  timing,
  hardware,
  floor: least,
  checks,
  fullSize,
}: Evidence) {
  return {
    verdict,
    task: { name: task.name, hash: task.hash, mode: task.mode, scaled: task.scaled },
    candidate: candidate.hash,
    findings,
    modelled,
    measured: measured && { device: measured.device, medianMicroseconds: measured.medianMicroseconds },
    speed: timing && speedOf(timing),
    hardware,
    floor: least,
    checks,
    fullSize,
  };
}

function print(
  evidence: Evidence,
  devices: string,
  folder: string,
  timings: readonly { stage: string; milliseconds: number }[],
): void {
  const out = (line = '') => process.stdout.write(`${line}\n`);
  const colours = coloursFor(process.stdout);
  const { verdict, modelled, findings } = evidence;
  const headline = {
    correct: colours.good('correct'),
    rejected: colours.bad(`rejected by ${verdict.check}`),
    unjudgeable: colours.warning('could not be judged'),
  }[verdict.outcome];
  const faster = evidence.timing?.claim === undefined ? '' : ' and faster';
  out(colours.strong(headline + faster));
  out(wrap(printable(verdict.reason), 79));
  for (const finding of findings.slice(0, 3)) {
    const line = finding.source ? ` (line ${finding.source.line})` : '';
    out(wrap(`- ${printable(finding.message)}${line}`, 79, '  '));
  }
  out();
  if (modelled) {
    out(
      `modelled time  ${time(modelled.microseconds)} (${time(modelled.low)} to ${time(modelled.high)}), limited by ${modelled.limitedBy}`,
    );
    const next = (modelled.resources ?? []).slice(1, 3).map((one) => `${one.name} (${time(one.microseconds)})`);
    if (next.length > 0) out(wrap(`then by        ${next.join('; ')}`, 79, '                '));
    if (modelled.unknown) out(wrap(`unknown        ${modelled.unknown}`, 79, '               '));
    if (evidence.floor) {
      out(
        `floor          ${time(evidence.floor.microseconds)}: ${significant((100 * evidence.floor.microseconds) / modelled.microseconds)} % of the speed of light`,
      );
    }
    for (const { kernel, words } of evidence.profile?.launches ?? [])
      out(wrap(`${printable(kernel)}: ${printable(words.join(' '))}`, 79, '  '));
    if (evidence.timing === undefined)
      out(
        wrap(
          'Nothing was measured: the time is from a model of the named GPU. No speedup over PyTorch is claimed.',
          79,
        ),
      );
    out();
  }
  const { hardware } = evidence;
  if (hardware && verdict.outcome === 'correct')
    out(wrap(`Right too in ${hardware.calls} calls on ${printable(hardware.name)}.`, 79));
  if (hardware?.profile) {
    out(wrap(`There, by ${printable(hardware.profile.by)}:`, 79));
    for (const said of hardware.profile.words) out(wrap(`- ${printable(said)}`, 79, '  '));
  }
  if (evidence.timing) {
    for (const line of speedLines(evidence.timing)) out(wrap(printable(line), 79, '               '));
    out();
  }
  if (verdict.outcome === 'correct') {
    for (const { text, line } of evidence.candidate.remarks ?? [])
      out(wrap(`- ${line > 0 ? `line ${line}: ` : ''}${printable(text)}`, 79, '  '));
    if (evidence.plan?.operators) out("No time is modelled: there is no model of PyTorch's own operators.");
  }
  if (evidence.task.mode === 'eval') out('Judged in evaluation mode, as `model.eval()` leaves the model.');
  if (evidence.task.scaled.length > 0) {
    const changes = evidence.task.scaled.map(({ name, from, to }) => `${name} ${from} -> ${to}`).join(', ');
    out(wrap(`Judged at smaller shapes than the file's: ${printable(changes)}.`, 79));
    const seen = evidence.checks.find(({ check }) => check === 'full-size');
    if (seen?.said && seen.status !== 'rejected') out(wrap(printable(seen.said), 79));
  }
  for (const { stage, milliseconds } of timings)
    out(`  ${stage.padEnd(24)} ${significant(milliseconds).padStart(8)} ms`);
  if (timings.length > 0) {
    // The compiler's time is part of what preparing took.
    const total = timings.reduce(
      (sum, { stage, milliseconds }) => sum + (stage === 'prepare: compiler' ? 0 : milliseconds),
      0,
    );
    out(`  ${'altogether'.padEnd(24)} ${significant(total).padStart(8)} ms`);
  }
  out(wrap(printable(devices), 79));
  out(`evidence       ${join(folder, 'evidence.html')}`);
}
