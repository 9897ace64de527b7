import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Graph } from '../types.ts';
import type { InputFamily } from './draw.ts';
import { rememberedFamilies } from './known-families.ts';

const folder = mkdtempSync(join(tmpdir(), 'assay-families-'));
after(() => rmSync(folder, { recursive: true }));

const graph: Graph = { inputs: [], parameters: [], constants: [], nodes: [], outputs: [] };
const found: InputFamily[] = [{ name: 'as-written', purpose: 'what the task file itself draws' }];

describe('families found legal', () => {
  it('are found once a graph, and again where what was kept cannot be read', () => {
    let searches = 0;
    const find = () => {
      searches++;
      return found;
    };
    const ask = (of: Graph) => assert.deepEqual(rememberedFamilies(folder, of, find), found);
    ask(graph);
    ask(graph);
    assert.equal(searches, 1, 'kept');
    ask({ ...graph, outputs: [1] });
    assert.equal(searches, 2, 'another graph');
    const [file] = readdirSync(folder);
    for (const name of readdirSync(folder)) writeFileSync(join(folder, name), '{');
    ask(graph);
    assert.equal(searches, 3, `${file} was cut off`);
    const nowhere = join(folder, file!, 'no-folder');
    assert.deepEqual(rememberedFamilies(nowhere, graph, find), found, 'nothing can be kept');
  });
});
