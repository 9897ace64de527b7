/** Limits hold: each is run into by a program that would go past it. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { type ProcessLimits, runLimited } from './limited-process.ts';

const roomy: ProcessLimits = {
  milliseconds: 20_000,
  cpuSeconds: 10,
  addressSpaceKiB: 4 * 2 ** 20,
  fileKiB: 1024,
  outputBytes: 10_000,
};

describe('a limited process', () => {
  const directory = mkdtempSync(join(tmpdir(), 'assay-limits-'));
  after(() => rmSync(directory, { recursive: true, force: true }));
  const run = (script: string, limits: Partial<ProcessLimits> = {}, signal?: AbortSignal) =>
    runLimited(['/bin/sh', '-c', script], directory, '/usr/bin:/bin', { ...roomy, ...limits }, signal);

  test('ends by itself, with its output and nothing of our environment', async () => {
    process.env.ASSAY_LIMITS_SECRET = 'secret';
    const result = await run('echo out; echo err >&2; echo "[$ASSAY_LIMITS_SECRET]"; exit 3');
    delete process.env.ASSAY_LIMITS_SECRET;
    assert.deepEqual([result.ended, result.status], ['ok', 3]);
    assert.match(result.output, /out/);
    assert.match(result.output, /err/);
    assert.match(result.output, /\[\]/);
  });

  test('has all its limits', async () => {
    const { output } = await run('ulimit -t; ulimit -v; ulimit -f; ulimit -c');
    assert.deepEqual(output.trim().split('\n'), ['10', String(4 * 2 ** 20), '2048', '0']);
  });

  test('processor time', async () => {
    const result = await run('while :; do :; done', { cpuSeconds: 1 });
    assert.equal(result.ended, 'ok');
    assert.notEqual(result.status, 0);
  });

  test('wall clock', async () => {
    assert.equal((await run('sleep 30', { milliseconds: 300 })).ended, 'timeout');
  });

  test('memory', async () => {
    const result = await run('x=aaaaaaaaaaaaaaaa; while :; do x="$x$x"; done', { addressSpaceKiB: 100_000 });
    assert.equal(result.ended, 'ok');
    assert.notEqual(result.status, 0);
  });

  test('written files', async () => {
    await run('head -c 5000000 /dev/zero > big', { fileKiB: 100 });
    assert.ok(statSync(join(directory, 'big')).size <= 100 * 1024);
  });

  test('output', async () => {
    const result = await run('while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done', { outputBytes: 1000 });
    assert.deepEqual([result.ended, result.output.length], ['output', 1000]);
  });

  test('an abort kills what it started too', async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 500);
    const result = await run('sleep 60 & echo $! > child; wait', {}, stop.signal);
    assert.equal(result.ended, 'aborted');
    const child = readFileSync(join(directory, 'child'), 'utf8').trim();
    const status = `/proc/${child}/status`;
    const alive = existsSync(status) && !/^State:\s+[ZX]/m.test(readFileSync(status, 'utf8'));
    assert.equal(alive, false);
  });
});
