/** What a person, an editor and a script get to see of findings; written against PTX, so that no compiler is needed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runJobInChild } from './in-child.ts';
import { runJob } from './job.ts';
import { plainName } from './kernel-name.ts';
import { reportText } from './report-text.ts';
import { sarif } from './sarif.ts';
import { SourceMap } from './source-trail.ts';

/** `scale` reads x[tid] from 64 floats with any number of threads; line 3 is inlined from a header of the toolkit. */
const PTX = `
.version 8.0
.target sm_90
.address_size 64
.visible .entry _Z5scalePKfPf(
	.param .u64 _Z5scalePKfPf_param_0,
	.param .u64 _Z5scalePKfPf_param_1
)
{
	.reg .b32 %r<2>;
	.reg .f32 %f<3>;
	.reg .b64 %rd<8>;
	.loc 1 1 0
	ld.param.u64 %rd1, [_Z5scalePKfPf_param_0];
	ld.param.u64 %rd2, [_Z5scalePKfPf_param_1];
	cvta.to.global.u64 %rd3, %rd1;
	cvta.to.global.u64 %rd4, %rd2;
	mov.u32 %r1, %tid.x;
	mul.wide.u32 %rd5, %r1, 4;
	add.s64 %rd6, %rd3, %rd5;
	.loc 1 3 18
	.loc 2 90 7, function_name $L__info_string0, inlined_at 1 3 18
	ld.global.f32 %f1, [%rd6];
	.loc 1 4 5
	add.f32 %f2, %f1, %f1;
	add.s64 %rd7, %rd4, %rd5;
	st.global.f32 [%rd7], %f2;
	ret;
}
	.file	1 "folder/scale.cu"
	.file	2 "/usr/local/cuda/include/load.hpp"
`;

const SOURCE = `__global__ void scale(const float* x, float* y) {
  const int i = threadIdx.x;
  const float v = load(x + i);
  y[i] = v + v;
}`;

const job = {
  ptx: PTX,
  name: 'scale.cu',
  header: '// launch: <<<1, 96>>>\n// arguments: x: const float[64] = ramp, y: float[96]',
  races: false,
};

describe('findings', () => {
  it('are shown with the line of the kernel itself, a caret, and the memory', () => {
    const [report] = runJob(job);
    const text = reportText(report!, { source: () => SOURCE.split('\n') });
    assert.match(text, /^out-of-bounds: .*x/);
    assert.ok(text.includes('at folder/scale.cu:3:18, scale, thread (64, 0, 0) of block (0, 0, 0)'), text);
    assert.ok(text.includes(`    3 |   const float v = load(x + i);\n      | ${' '.repeat(17)}^\n`), text);
    assert.ok(text.includes('in code inlined from /usr/local/cuda/include/load.hpp:90'), text);
    assert.ok(text.includes('x: 256 bytes; offset 256'), text);
    assert.ok(text.includes('  32 times'), text);
    assert.match(text, /scale<<<1, 96>>>: 1 finding \([\d,]+ thread-instructions under one schedule\)$/);
  });

  it('are nothing where there is nothing', () => {
    const [report] = runJob({ ...job, launch: '<<<1, 64>>>' });
    assert.match(reportText(report!), /^scale<<<1, 64>>>: nothing found/);
  });

  it('become SARIF with rule, place and count', () => {
    const log = sarif(runJob(job), { version: '1.2.3', file: 'scale.cu', uri: () => 'src/scale.cu' }) as {
      version: string;
      runs: { tool: { driver: { rules: { id: string }[] } }; results: Record<string, unknown>[] }[];
    };
    const run = log.runs[0]!;
    assert.equal(log.version, '2.1.0');
    assert.deepEqual(
      run.tool.driver.rules.map(({ id }) => id),
      ['out-of-bounds'],
    );
    assert.equal(run.results.length, 1);
    const [result] = run.results;
    assert.equal(result!.ruleId, 'out-of-bounds');
    assert.equal(result!.occurrenceCount, 32);
    assert.deepEqual(result!.locations, [
      {
        physicalLocation: { artifactLocation: { uri: 'src/scale.cu' }, region: { startLine: 3, startColumn: 18 } },
        logicalLocations: [{ name: 'scale', kind: 'function' }],
      },
    ]);
  });
});

describe('jobs', () => {
  it('say what is missing or does not fit', () => {
    assert.throws(() => runJob({ ...job, header: '' }), /How scale is launched is not known. Give --launch/);
    assert.throws(() => runJob({ ...job, header: '', launch: '<<<1, 1>>>' }), /The arguments of scale are not known/);
    assert.throws(() => runJob({ ...job, kernel: 'scales' }), /There is no kernel scales in this file; it has scale/);
    assert.throws(
      () => runJob({ ...job, arguments: 'x: float[1]' }),
      /scale has 2 parameters .* and 1 argument is given: x/,
    );
    assert.throws(
      () => runJob({ ...job, arguments: 'x: float[1], y: int = 1' }),
      /Parameter 2 of scale is 8 bytes long, and its argument y is a int of 4 bytes/,
    );
    assert.throws(() => runJob({ ...job, arguments: 'x: float[800000000], y: null' }), /Make them smaller/);
  });

  it('write nothing to const arrays', () => {
    const [report] = runJob({ ...job, arguments: 'x: float[96] = one, y: const float[96] = zero' });
    assert.deepEqual(
      report!.findings.map(({ kind, place }) => [kind, place?.line]),
      [['write-to-readonly', 4]],
    );
  });

  it('run in a process that can be stopped', async () => {
    const [report] = await runJobInChild(job);
    assert.equal(report!.findings[0]!.kind, 'out-of-bounds');
    await assert.rejects(runJobInChild({ ...job, ptx: 'nonsense' }), { name: 'LaunchSpecError' });
    const endless = `.version 8.0\n.target sm_90\n.address_size 64\n.visible .entry spin() {\n$L1:\nbra $L1;\n}\n`;
    const controller = new AbortController();
    const stopped = runJobInChild(
      { ptx: endless, name: 'spin', header: '', launch: '<<<1, 1>>>', arguments: '', races: false, budget: 1e12 },
      controller.signal,
    );
    setTimeout(() => controller.abort(new Error('enough')), 500);
    await assert.rejects(stopped, /enough/);
  });
});

describe('names', () => {
  it('of kernels are read out of mangled ones', () => {
    assert.equal(plainName('_Z7softmaxPKfPfi'), 'softmax');
    assert.equal(plainName('_ZN6detail4scanILi4EEEvPi'), 'detail::scan');
    assert.equal(plainName('_ZN12_GLOBAL__N_14scanEPi'), 'scan');
    assert.equal(plainName('plain_c'), 'plain_c');
  });

  it('of places follow what was inlined into what', () => {
    const line = PTX.split('\n').findIndex((text) => text.includes('ld.global')) + 1;
    assert.deepEqual(new SourceMap(PTX).trail(line), [
      { file: '/usr/local/cuda/include/load.hpp', line: 90, column: 7 },
      { file: 'folder/scale.cu', line: 3, column: 18 },
    ]);
  });
});
