/** `assay plan kernel.cu --task task.py`: what the host function would do for the task's shapes, with each launch's resources and each buffer's lifetime. */
import { factsOf, type PlanReport, prepareCandidate, type ReportedLaunch, reportPlan } from '../../kernel/index.ts';
import { gpuTarget } from '../../vgpu/index.ts';
import { readCandidate } from '../candidate-file.ts';
import type { Places } from '../places.ts';
import { type TaskOptions, taskFrom } from '../task-options.ts';
import { clip, printable, wrap } from '../terminal/format.ts';

export interface PlanOptions extends TaskOptions {
  task: string;
  gpu: string;
  json: boolean;
}

const WIDTH = 79;

/** Prints; always 0, as a candidate without a plan is an error. */
export async function plan(file: string, options: PlanOptions, places: Places, signal: AbortSignal): Promise<number> {
  const target = gpuTarget(options.gpu);
  const facts = factsOf(target);
  const { task } = await taskFrom(options.task, options, places);
  const prepared = await prepareCandidate(readCandidate(file), task.signature, {
    ...{ arch: target.arch, facts, cacheDir: places.builds, tracesDir: places.traces, task, signal },
  });
  const report = reportPlan(prepared, facts);
  const { remarks = [] } = prepared;
  if (options.json) {
    const json = { task: task.name, candidate: prepared.sourceHash, gpu: options.gpu, ...report, remarks };
    process.stdout.write(`${JSON.stringify(json, null, 2)}\n`);
    return 0;
  }
  const out = (line = '') => process.stdout.write(`${printable(line)}\n`);
  out(
    clip(
      `${task.name} on ${target.name}: ${report.steps.length} ${report.steps.length === 1 ? 'step' : 'steps'}`,
      WIDTH,
    ),
  );
  out();
  steps(report, out);
  out();
  buffers(report, out);
  out();
  for (const { buffer, shape, dtype, strides } of report.outputs)
    out(
      clip(
        `returns ${report.buffers[buffer]?.name} [${shape.join(', ')}] ${dtype}, strides [${strides.join(', ')}]`,
        WIDTH,
      ),
    );
  for (const { text, line } of remarks) out(wrap(`${line > 0 ? `line ${line}: ` : ''}${text}`, WIDTH, '  '));
  return 0;
}

function steps({ steps: all, buffers: known }: PlanReport, out: (line?: string) => void): void {
  out('step  line  what');
  for (const step of all) {
    const at = `${String(step.step).padStart(4)}  ${String(step.line || '').padStart(4)}  `;
    if (step.kind !== 'launch') {
      out(clip(`${at}${step.kind} ${step.text}`, WIDTH));
      continue;
    }
    out(clip(`${at}launch ${step.kernel}`, WIDTH));
    out(clip(`            ${shape(step)}`, WIDTH));
    for (const line of resources(step)) out(clip(`            ${line}`, WIDTH));
    const names = step.buffers.map((id) => known[id]?.name).join(', ');
    if (names)
      out(wrap(`            given ${names}`.trimEnd(), WIDTH, ' '.repeat(12)).replace(/^given/, '            given'));
  }
}

const shape = ({ grid, block }: ReportedLaunch) =>
  `grid ${grid.join(' x ')}, block ${block.join(' x ')} (${block[0] * block[1] * block[2]} threads)`;

function resources(step: ReportedLaunch): string[] {
  const { staticSharedBytes, dynamicSharedBytes, registers, spillBytes = 0, occupancy } = step;
  const shared = `shared ${bytes(staticSharedBytes)} static + ${bytes(dynamicSharedBytes)} dynamic`;
  if (registers === undefined || occupancy === undefined)
    return [shared, 'registers, spills and occupancy are not known without ptxas'];
  const spills = spillBytes > 0 ? `, ${bytes(spillBytes)} of spills` : '';
  return [shared, `${registers} registers a thread${spills}, occupancy ${Math.round(100 * occupancy)} %`];
}

function buffers(
  { buffers: all, argumentBytes, workspaceBytes, peakWorkspaceBytes, peakStep }: PlanReport,
  out: (line?: string) => void,
): void {
  out('buffer                                kind          bytes  in use (steps)');
  for (const { id, name, kind, bytes: size, firstStep, lastStep, output } of all) {
    const used =
      firstStep === undefined ? 'never' : firstStep === lastStep ? `${firstStep}` : `${firstStep} to ${lastStep}`;
    const life = output ? `${used}, returned` : used;
    out(clip(`${`${id} ${clip(name, 32)}`.padEnd(36)}  ${kind.padEnd(9)} ${bytes(size).padStart(10)}  ${life}`, WIDTH));
  }
  out(`arguments ${bytes(argumentBytes)} bytes, workspaces ${bytes(workspaceBytes)} bytes`);
  if (peakStep !== undefined)
    out(`most at once, each from first use to last: ${bytes(peakWorkspaceBytes)} bytes, at step ${peakStep}`);
}

const bytes = (count: number) => count.toLocaleString('en-US');
