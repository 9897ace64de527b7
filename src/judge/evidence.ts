/**
 * Evidence: a verdict with everything needed to doubt it and to redo it, as one JSON object (evidence-schema.ts).
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Device, RunLimits } from '../device/index.ts';
import type { Task } from '../task/index.ts';
import { type Finding, profileInWords } from '../vgpu/index.ts';
import { checks } from './check.ts';
import {
  EVIDENCE_SCHEMA,
  type Evidence,
  type EvidenceFloor,
  evidenceSchema,
  READABLE_SCHEMAS,
} from './evidence-schema.ts';
import type { FullSizeReport } from './full-size-report.ts';
import { operatorShareInWords } from './operator-share.ts';
import { speedInWords } from './timed.ts';
import { timedEvidence } from './timing-evidence.ts';
import { HISTOGRAM_EDGES } from './tolerance.ts';
import type { Verdict } from './types.ts';

/** What evidence is made of, besides the verdict. */
export interface EvidenceSource {
  verdict: Verdict;
  task: Task;
  candidateSource: string;
  device: Pick<Device, 'kind' | 'name' | 'wall'>;
  /** Id of the target GPU. */
  gpu: string;
  limits: RunLimits;
  floor?: EvidenceFloor;
  /** Names of the arithmetics the tolerance rests on: `oracle.arithmetics`. */
  arithmetics: readonly string[];
}

/** The evidence of a verdict. */
export function evidenceOf(source: EvidenceSource): Evidence {
  const { verdict, task, candidateSource, device, gpu, limits, floor, arithmetics } = source;
  const { plan, build } = verdict.candidate ?? {};
  const evidence = {
    schema: EVIDENCE_SCHEMA,
    madeAt: new Date().toISOString(),
    verdict: {
      outcome: verdict.outcome,
      check: verdict.check,
      reason: verdict.reason,
      details: verdict.proof?.details,
      picture: verdict.proof?.picture,
    },
    task: {
      name: task.name,
      source: task.source,
      hash: task.hash,
      precision: task.precision,
      mode: task.mode,
      tensors: task.signature.tensors,
      outputs: task.signature.outputs,
      operators: task.graph.nodes.map(({ op, line }) => `${op} (line ${line})`),
      scaled: task.scaled,
      scale: task.scale,
      entry: task.signature.entry,
      configuration: task.configuration,
    },
    candidate: { source: candidateSource, hash: verdict.sourceHash, remarks: verdict.candidate?.remarks },
    seeds: verdict.commitment && {
      secret: verdict.commitment.secret,
      origin: verdict.commitment.origin,
      frozen: verdict.commitment.sourceHashes,
    },
    calls: verdict.calls,
    checks: verdict.checks.map(({ check, stage, answer, milliseconds, device: on }) => {
      const known = checks.find(({ id }) => id === check);
      const said =
        answer.status === 'passed' ? answer.remark : answer.status === 'rejected' ? answer.proof.reason : answer.reason;
      const { question = '', catches = [] } = known ?? {};
      return { check, question, catches, stage, device: on, status: answer.status, said, milliseconds };
    }),
    tolerance: {
      formula: '16 max(e, a + b|r|) + q ulp(r) an element, and in norm; see the head of src/judge/tolerance.ts',
      arithmetics,
      edges: HISTOGRAM_EDGES,
      outputs: verdict.accuracy,
    },
    findings: verdict.findings.map(withoutPath),
    plan: plan && {
      buffers: plan.buffers.map(({ name, kind, bytes }) => ({ name, kind, bytes })),
      launches: plan.steps.flatMap((step) => (step.kind === 'launch' ? [step] : [])),
      fills: plan.steps.filter(({ kind }) => kind === 'fill').length,
      copies: plan.steps.filter(({ kind }) => kind === 'copy').length,
      operators: verdict.operators,
    },
    build: build && {
      hash: build.hash,
      compiler: build.compiler,
      arch: build.arch,
      resources: [build, ...(build.others ?? [])].flatMap(({ resources }) => resources),
    },
    device: { kind: device.kind, name: device.name, gpu },
    hardware: verdict.hardware,
    limits,
    environment: {
      assay: assayVersion(),
      node: process.version,
      platform: `${process.platform} ${process.arch}`,
      walls: { compiler: build?.wall, device: device.wall, hardware: verdict.hardware?.wall },
    },
    modelled: verdict.modelled,
    measured: verdict.measured,
    timing: verdict.timing && timedEvidence(verdict.timing),
    floor,
    profile: profileOf(verdict),
    admission: verdict.admission,
    fullSize: verdict.fullSize && withoutProof(verdict.fullSize),
    fullSizeTime: verdict.fullSizeTime,
    printed: verdict.printed,
    timings: verdict.timings,
    notClaimed: notClaimed(source),
  };
  return evidenceSchema.parse(spell(evidence));
}

/**
 * Evidence from JSON text.
 * @throws a sentence when it is not evidence, or of a version this program does not know.
 */
export function parseEvidence(text: string): Evidence {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Error('This is not JSON; evidence is the file `evidence.json` that a judgement writes.');
  }
  const schema = (json as { schema?: unknown } | null)?.schema;
  if (!READABLE_SCHEMAS.some((known) => known === schema)) {
    throw new Error(
      `This is not evidence that this version of Assay reads: its schema is ${JSON.stringify(schema)}, not ${READABLE_SCHEMAS.map((known) => `"${known}"`).join(' or ')}.`,
    );
  }
  const parsed = evidenceSchema.safeParse(json);
  if (parsed.success) {
    if (parsed.data.timing?.claim && parsed.data.verdict.outcome !== 'correct')
      throw new Error('This evidence is damaged at `timing.claim`: a candidate that is not correct has no speed.');
    return parsed.data;
  }
  const issue = parsed.error.issues[0]!;
  throw new Error(`This evidence is damaged at \`${issue.path.join('.')}\`: ${issue.message}.`);
}

/** What a reader might think is claimed, and is not. */
function notClaimed({ verdict, task, device }: EvidenceSource): string[] {
  const said: string[] = [];
  if (verdict.outcome !== 'correct') return said;
  said.push(...speedNotClaimed(verdict, device));
  const shapes = task.signature.tensors.map(({ name, spec }) => `${name} [${spec.shape.join(', ')}]`).join(', ');
  const scaled = task.scaled.map(({ name, from, to }) => `${name} from ${from} to ${to}`).join(', ');
  said.push(`Other shapes: it was judged at ${shapes}${scaled ? `, scaled down (${scaled})` : ''}.`);
  if (task.mode === 'eval')
    said.push(
      'Training mode: the model was judged as `model.eval()` leaves it, without dropout, and with the running statistics of batch norm.',
    );
  said.push(
    'Other orders of threads: the device ran one schedule, and a race that shows only under another could remain.',
  );
  if (verdict.operators) said.push(`Anything of these: ${operatorShareInWords(verdict.operators)}`);
  for (const { text, line } of verdict.candidate?.remarks ?? []) said.push(`Line ${line}: ${text}`);
  for (const { check, answer } of verdict.checks) {
    if (answer.status === 'not-asked') said.push(`\`${check}\` was not asked: ${answer.reason}`);
    if (answer.status === 'passed' && answer.remark) said.push(answer.remark);
  }
  for (const { operator, reason } of verdict.admission?.dead ?? [])
    said.push(`The effect of \`${operator}\`: ${reason}`);
  if (verdict.commitment?.origin === 'given to reproduce') {
    said.push('That the seeds were secret: they were given, to reproduce earlier evidence.');
  }
  return said;
}

/** What is not claimed of speed. */
function speedNotClaimed({ timing, operators }: Verdict, { kind }: EvidenceSource['device']): string[] {
  if (timing?.claim) {
    const last = timing.claim.words.at(-1)!;
    return [last.replace(/^Not claimed: (.)/, (_, first: string) => first.toUpperCase())];
  }
  const said = timing === undefined ? [] : [speedInWords(timing)];
  if (timing?.report?.source === 'measured' || kind !== 'virtual') return said;
  const nothing = operators
    ? "Nothing was measured, and no time is modelled: there is no model of PyTorch's own operators."
    : 'Nothing was measured: the time is from a performance model of the GPU, and no speedup over PyTorch is claimed.';
  return [...said, nothing];
}

/** What was seen at the file's own shapes; a proof is the verdict's. */
function withoutProof({ proof: _, ...seen }: FullSizeReport): Omit<FullSizeReport, 'proof'> {
  return seen;
}

function profileOf({ profile }: Verdict): Evidence['profile'] {
  if (profile.length === 0) return undefined;
  const sectors = profile.reduce((n, { global }) => n + global.loadSectors + global.storeSectors, 0);
  return {
    globalBytes: sectors * 32,
    threadInstructions: profile.reduce((n, one) => n + one.threadInstructions, 0),
    launches: profile.map((one) => ({ kernel: one.kernel, words: profileInWords(one) })),
  };
}

/** A finding with the candidate's line, and without the path of the compiled file. */
function withoutPath({ source, ...finding }: Finding): unknown {
  if (source === undefined) return finding;
  const message = finding.message.replaceAll(source.file, basename(source.file));
  return { ...finding, message, source: { line: source.line } };
}

/** The same data with infinities and NaN spelled out, as JSON cannot hold them. */
function spell(value: unknown): unknown {
  if (typeof value === 'number') {
    return Number.isFinite(value) ? value : Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  }
  if (Array.isArray(value)) return value.map(spell);
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(
      Object.entries(value).flatMap(([key, one]) => (one === undefined ? [] : [[key, spell(one)]])),
    );
  }
  return value;
}

function assayVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
