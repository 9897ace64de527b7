/** What rows begin with when there are enough of them, and that it is right against float64. The latter is skipped where nvcc is not found. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { gpuTarget } from '../../vgpu/index.ts';
import { DeviceCheck, skipWithoutCompiler } from './device-check.fixture.ts';
import { startingChoices } from './first-choices.ts';
import { GraphBuilder } from './graph.fixture.ts';
import { groupFacts, hardwareOf } from './knobs.ts';
import { decompose, lowerOutline, outline } from './lower/index.ts';

function softmaxOf(rows: number, length: number) {
  const graph = new GraphBuilder();
  const task = graph.task([graph.op('softmax', [graph.input([rows, length])], { dim: 1 })]);
  return { task, made: outline(decompose(task.graph, task.signature), { fusion: 'fused', splits: {} }) };
}

function firstOf(rows: number, length: number) {
  const { made } = softmaxOf(rows, length);
  const [{ group, stored }] = made.groups as [(typeof made.groups)[number]];
  const [first] = startingChoices(groupFacts(made.program, group, stored, 'fp32', hardwareOf(gpuTarget('h100'))));
  if (first?.family !== 'row') throw new Error(`rows begin with ${JSON.stringify(first)}`);
  return first;
}

describe('first choices of rows', () => {
  it('give each lane more of a row where rows fill a GPU without a block each, and a block where they do not', () => {
    const many = firstOf(32768, 4096);
    assert.deepEqual([many.lanes, many.rows, many.keep], [64, 1, 'registers']);
    assert.equal(firstOf(256, 4096).lanes, 256);
  });

  it('are right for rows that their lanes do not divide', { skip: skipWithoutCompiler }, async () => {
    const check = new DeviceCheck();
    after(() => check.close());
    const { task, made } = softmaxOf(33, 4052);
    await check.matches(task, lowerOutline(task, made, [firstOf(32768, 4052)]));
  });
});
