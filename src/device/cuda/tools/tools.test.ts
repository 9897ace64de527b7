/**
 * NVIDIA's tools: what they write is read. The texts are written after the forms in their documentation (Compute Sanitizer user guide; Nsight Compute CLI guide): no GPU has made
 * them. The way there and back is tried with executables of our own in the tools' place, over the fake driver.
 */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { RunRequest } from '../../types.ts';
import { buildFakeDriver, cCompiler } from '../fake/build-fake.ts';
import { build, call, launch, plan, ramp } from '../kernels.fixture.ts';
import { computeSanitizer, parseSanitizer } from './compute-sanitizer.ts';
import { countersInWords, nsightCompute, parseNsight } from './nsight-compute.ts';
import { halved, twice, variantsInWords } from './variants.ts';

const folder = mkdtempSync(join(tmpdir(), 'assay-tools-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const memcheck = `========= COMPUTE-SANITIZER
========= Invalid __global__ write of size 4 bytes
=========     at scale(const float *, float *, int)+0x70 in /tmp/x/candidate.cu:12
=========     by thread (33,0,0) in block (4,1,0)
=========     Address 0x7f1b2c000400 is out of bounds
=========     and is 1 bytes after the nearest allocation at 0x7f1b2c000000 of size 1024 bytes
=========     Saved host backtrace up to driver entry point at kernel launch time
=========     Host Frame: [0x2cd0f1]
=========                in /lib/x86_64-linux-gnu/libcuda.so.1
=========
========= Invalid __global__ write of size 4 bytes
=========     at scale(const float *, float *, int)+0x70 in /tmp/x/candidate.cu:12
=========     by thread (34,0,0) in block (4,1,0)
=========     Address 0x7f1b2c000404 is out of bounds
=========
========= Invalid __shared__ read of size 16 bytes
=========     at 0x9670 in candidate.cu:31:void reduce<float, int=4>(float *)
=========     by thread (0,0,0) in block (0,0,0)
=========     Address 0x8 is misaligned
=========
========= Program hit CUDA_ERROR_LAUNCH_FAILED (error 719) due to "unspecified launch failure" on CUDA API call to cuStreamSynchronize.
========= ERROR SUMMARY: 4 errors
`;
const racecheck = `========= COMPUTE-SANITIZER
========= Error: Race reported between Write access at sum(float *)+0x1a0 in /tmp/x/candidate.cu:9
=========     and Read access at sum(float *)+0x210 in /tmp/x/candidate.cu:11 [128 hazards]
=========
========= RACECHECK SUMMARY: 1 hazard displayed (1 error, 0 warnings)
`;
const synccheck = `========= COMPUTE-SANITIZER
========= Barrier error detected. Divergent thread(s) in block.
=========     at wait(int)+0xf0 in candidate.cu:5
=========     by thread (32,0,0) in block (0,0,0)
=========
========= ERROR SUMMARY: 1 error
`;
const clean = '========= COMPUTE-SANITIZER\n========= ERROR SUMMARY: 0 errors\n';

const ncu = `==PROF== Connected to process 4242 (/usr/bin/node)
==PROF== Profiling "scale" - 0: 0%....50%....100% - 12 passes
"ID","Process ID","Process Name","Host Name","Kernel Name","Context","Stream","Block Size","Grid Size","Device","CC","dram__bytes_read.sum","dram__bytes_write.sum","dram__throughput.avg.pct_of_peak_sustained_elapsed","gpu__compute_memory_throughput.avg.pct_of_peak_sustained_elapsed","gpu__time_duration.sum","l1tex__t_sector_hit_rate.pct","launch__occupancy_limit_registers","launch__occupancy_limit_blocks","lts__t_sector_hit_rate.pct","sm__throughput.avg.pct_of_peak_sustained_elapsed","sm__warps_active.avg.pct_of_peak_sustained_active","smsp__sass_average_data_bytes_per_sector_mem_global_op_ld.pct","smsp__warp_issue_stalled_long_scoreboard_per_warp_active.pct"
"","","","","","","","","","","","byte","byte","%","%","nsecond","%","block","block","%","%","%","%","%"
"0","4242","node","host","scale(const float *, ""odd"" float *)","1","7","(256, 1, 1)","(4096, 1, 1)","0","9.0","4,194,304","4194304","71.25","74.5","5120","0","8","32","50.1","12.75","44.2","25","63.5"
"1","4242","node","host","void tiny<float>(float *)","1","7","(32, 1, 1)","(1, 1, 1)","0","9.0","n/a","0","0.1","0.4","2048","","16","32","99","0.2","2","100","4"
`;

describe('what compute-sanitizer writes', () => {
  it('of memory: kind, kernel, line, thread, and how often', () => {
    const found = parseSanitizer(memcheck);
    assert.deepEqual(
      found.map(({ kind, kernel, source, count }) => [kind, kernel, source?.line, count]),
      [
        ['out-of-bounds', 'scale', 12, 2],
        ['misaligned', 'reduce<float, int=4>', 31, 1],
        ['trap', '', undefined, 1],
      ],
    );
    assert.deepEqual(
      [found[0]!.thread, found[0]!.block],
      [
        [33, 0, 0],
        [4, 1, 0],
      ],
    );
    assert.match(found[0]!.message, /^Invalid __global__ write of size 4 bytes; .*out of bounds/);
    assert.doesNotMatch(found[0]!.message, /Host Frame/);
  });
  it('of races and barriers, and nothing where there is nothing', () => {
    assert.deepEqual(
      [racecheck, synccheck].flatMap(parseSanitizer).map(({ kind, kernel, source }) => [kind, kernel, source?.line]),
      [
        ['race', 'sum', 9],
        ['barrier-divergence', 'wait', 5],
      ],
    );
    assert.deepEqual(parseSanitizer(clean), []);
    assert.deepEqual(parseSanitizer('no such text'), []);
  });
});

describe('what Nsight Compute writes', () => {
  it('is read by names of columns; what it does not know is absent', () => {
    const [scale, tiny] = parseNsight(ncu);
    assert.equal(scale!.kernel, 'scale');
    assert.equal(scale!.values.nanoseconds, 5120);
    assert.equal(scale!.values.dramRead, 4_194_304);
    assert.equal(tiny!.kernel, 'tiny<float>');
    assert.equal(tiny!.values.dramRead, undefined);
    assert.equal(tiny!.values.l1Hits, undefined);
    assert.deepEqual(parseNsight('==ERROR== nothing'), []);
  });
  it('is said in words that name what limits the kernel', () => {
    const [scale, tiny] = parseNsight(ncu).map(countersInWords);
    assert.match(
      scale!.join(' '),
      /memory system limits it.*8\.39 MB.*25 % are used.*registers allow 8 blocks.*loads from memory \(64 %\)/,
    );
    assert.match(tiny!.join(' '), /neither is busy/);
  });
});

describe('variants of a plan', () => {
  it('do the steps twice, and half of the blocks', () => {
    const one = plan([launch('twice', { grid: [3, 5, 1] })]);
    assert.equal(twice(one).steps.length, 2);
    assert.deepEqual(
      halved(one)!.steps.map((step) => step.kind === 'launch' && step.grid),
      [[3, 3, 1]],
    );
    assert.equal(halved(plan([launch('twice', { grid: [1, 1, 1] })])), undefined);
    assert.equal(halved(plan([launch('twice', { grid: [4, 1, 1], cooperative: true })])), undefined);
  });
  it('tell memory, fullness and launching apart', () => {
    const said = (once: number, both: number, half: number, nothing = 2) =>
      variantsInWords({ once, twice: both, half, nothing }).join(' ');
    assert.match(said(100, 130, 52), /it takes 30\.0 us instead of 100 us: about 70 % .*GPU is full/);
    assert.match(said(100, 198, 99), /hardly less.*not what limits it.*not full/);
    assert.match(said(3, 5, 3), /of which launching takes 2\.00 us/);
  });
});

const compiler = cCompiler();
describe('a tool over the launcher', {
  skip: compiler ? false : 'there is no C compiler for the fake driver',
}, async () => {
  const fake = compiler ? await buildFakeDriver(compiler) : undefined;
  after(() => fake?.remove());
  const limits = { milliseconds: 60_000, instructions: 1e9, memoryBytes: 1e8, printBytes: 2000 };
  const request: RunRequest = { plan: plan([launch('twice')]), build, calls: [call(ramp(0))], limits };
  /** A program that does what a tool does: runs what it is given, and writes a log. */
  const tool = (name: string, log: string, more = '') => {
    const path = join(folder, name);
    writeFileSync(join(folder, `${name}.log`), log);
    writeFileSync(
      path,
      `#!/bin/sh\nif [ "$1" = --version ]; then echo "Version 2025.1.0"; exit 0; fi\n${more}\nwhile [ "$1" != --log-file ]; do shift; done\nlog=$2; shift 2\n"$@" || exit 1\ncp "${join(folder, `${name}.log`)}" "$log"\n`,
    );
    chmodSync(path, 0o755);
    return path;
  };
  const on = { gpu: 0, fake: { library: fake?.library ?? '' } };
  const named = async <T>(variable: string, path: string, work: () => Promise<T>): Promise<T> => {
    process.env[variable] = path;
    try {
      return await work();
    } finally {
      delete process.env[variable];
    }
  };

  it('runs the plan in it, and brings back what it wrote', async () => {
    const path = tool('sanitizer', racecheck);
    const seen = await named('ASSAY_COMPUTE_SANITIZER', path, () => computeSanitizer(on, request));
    assert.ok('findings' in seen, JSON.stringify(seen));
    assert.equal(seen.version, '2025.1.0');
    assert.deepEqual(seen.tools, ['memcheck', 'racecheck', 'synccheck']);
    assert.equal(seen.findings[0]!.kind, 'race');
  });
  it('says when a run does not complete, when there is no summary, and when it is not there', async () => {
    const faulty = { ...request, plan: plan([launch('traps')]) };
    const seen = await named('ASSAY_COMPUTE_SANITIZER', tool('clean', clean), () => computeSanitizer(on, faulty));
    assert.match((seen as { missing: string }).missing, /run did not complete: traps/);
    const silent = await named('ASSAY_COMPUTE_SANITIZER', tool('silent', '', 'echo "no GPU"; exit 3'), () =>
      computeSanitizer(on, request),
    );
    assert.match((silent as { missing: string }).missing, /gave no summary: no GPU/);
    const none = await named('ASSAY_COMPUTE_SANITIZER', join(folder, 'none'), () => computeSanitizer(on, request));
    assert.match((none as { missing: string }).missing, /not installed/);
  });
  it('counts, or says that it may not', async () => {
    const counted = await named('ASSAY_NCU', tool('ncu', ncu), () => nsightCompute(on, request));
    assert.equal('launches' in counted && counted.launches.length, 2, JSON.stringify(counted));
    const denied =
      '==ERROR== ERR_NVGPUCTRPERM - The user does not have permission to access NVIDIA GPU Performance Counters';
    const refused = await named('ASSAY_NCU', tool('denied', '', `echo "${denied}"; exit 1`), () =>
      nsightCompute(on, request),
    );
    assert.match((refused as { missing: string }).missing, /may not be read by this user/);
  });
});
