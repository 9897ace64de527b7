import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Instruction, PtxError } from './ir.ts';
import { parsePtx } from './parser.ts';

const HEAD = '.version 8.4\n.target sm_90\n.address_size 64\n';

function body(text: string, declarations = ''): readonly Instruction[] {
  const registers =
    '.reg .pred %p<4>; .reg .b16 %rs<8>; .reg .b32 %r<16>; .reg .f32 %f<16>; .reg .b64 %rd<8>; .reg .f64 %fd<4>;';
  const module = parsePtx(
    `${HEAD}${declarations}.visible .entry k(.param .u64 k_param_0)\n{\n${registers}\n${text}\nret;\n}`,
  );
  return module.functions.get('k')!.instructions;
}

function first(text: string, declarations = ''): Instruction {
  return body(text, declarations)[0]!;
}

describe('parsing PTX', () => {
  it('decodes modifiers into typed fields', () => {
    const load = first('ld.relaxed.gpu.global.L1::no_allocate.v4.f32 {%f1, %f2, _, %f4}, [%rd1+-16];');
    assert.equal(load.kind, 'memory');
    if (load.kind !== 'memory') return;
    assert.deepEqual(
      [load.op, load.space, load.semantics, load.scope, load.vector, load.type],
      ['ld', 'global', 'relaxed', 'gpu', 4, 'f32'],
    );
    assert.deepEqual(load.src[0], { kind: 'address', base: { kind: 'register', id: 45, type: 'b64' }, offset: -16 });
    const fma = first('fma.rm.ftz.sat.f32 %f1, %f2, 0f3FC00000, %f3;');
    assert.ok(fma.kind === 'arithmetic' && fma.rounding === 'rm' && fma.ftz && fma.sat);
    assert.deepEqual(fma.src[1], { kind: 'immediate', bits: 0x3fc00000n });
  });

  it('takes semantics, scope and space in any order', () => {
    const atom = first('atom.add.release.gpu.global.u32 %r1, [%rd1], %r2;');
    assert.ok(
      atom.kind === 'atomic' && atom.semantics === 'release' && atom.scope === 'gpu' && atom.space === 'global',
    );
  });

  it('gives guards, pairs of results and negated predicates', () => {
    const setp = first('@!%p1 setp.lt.and.f32 %p2|%p3, %f1, %f2, !%p0;');
    assert.deepEqual(setp.guard, { register: 1, negated: true });
    assert.equal(setp.dst.length, 2);
    assert.deepEqual(setp.src[2], { kind: 'predicate', id: 0, negated: true });
  });

  it('resolves labels through nested scopes that reuse names', () => {
    const instructions = body(`
      { .reg .b32 t; again: add.s32 t, %r1, 1; @%p1 bra again; mov.u32 %r1, t; }
      { .reg .f32 t; again: add.f32 t, %f1, %f1; @%p1 bra again; bra end; }
      end: bar.sync 0;`);
    const targets = instructions.flatMap((i) => (i.kind === 'control' && i.op === 'bra' ? [...i.targets] : []));
    assert.deepEqual(targets, [0, 3, 6]);
    const [integer, float] = [instructions[0]!.dst[0], instructions[3]!.dst[0]];
    assert.ok(integer?.kind === 'register' && float?.kind === 'register' && integer.id !== float.id);
  });

  it('reads branch tables, prototypes and calls', () => {
    const instructions = body(
      `table: .branchtargets a, b;
      { .param .b32 p0; st.param.b32 [p0], %r1; .param .b32 r0; call.uni (r0), f, (p0); ld.param.b32 %r2, [r0]; }
      proto: .callprototype (.param .b32 _) _ (.param .b32 _);
      brx.idx %r1, table; a: exit; b: trap;`,
      '.func (.param .b32 r) f(.param .b32 x) { .reg .b32 %a; ld.param.b32 %a, [x]; st.param.b32 [r], %a; ret; }\n',
    );
    const call = instructions.find((i) => i.kind === 'control' && i.op === 'call');
    assert.ok(call?.kind === 'control' && call.call?.target === 'f' && call.call.args.length === 1);
    const brx = instructions.find((i) => i.kind === 'control' && i.op === 'brx');
    assert.ok(brx?.kind === 'control');
    assert.deepEqual(brx.targets, [4, 5]);
  });

  it('reads variables with initialisers, relocations and strings of bytes', () => {
    const module = parsePtx(`${HEAD}
      .global .align 4 .f32 table[2][2] = {{1.5, 0f40000000}, {-3.0, 4}};
      .const .align 8 .b8 text[4] = {72, 105, 10, 0};
      .global .align 8 .u64 pointers[2] = {generic(table)+8, 0};
      .extern .shared .align 16 .b8 dynamic[];
      .visible .entry k() { ret; }`);
    const [table, text, pointers, dynamic] = module.variables;
    assert.deepEqual([...new Float32Array(table!.initial!.slice().buffer)], [1.5, 2, -3, 4]);
    assert.deepEqual([...text!.initial!], [72, 105, 10, 0]);
    assert.deepEqual(pointers!.relocations, [
      { offset: 0, bytes: 8, symbol: 'table', addend: 8, generic: true, shift: 0 },
    ]);
    assert.equal(dynamic!.bytes, 0);
  });

  it('keeps source lines, with where code was inlined', () => {
    const module =
      parsePtx(`${HEAD}.visible .entry k()\n{\n.loc 1 7 3\nbar.sync 0;\n.loc 2 9 1, function_name $L__info0, inlined_at 1 8 2\nmembar.gl;\nret;\n}
      .file 1 "/src/a.cu"\n.file 2 "/src/b.cuh"\n.section .debug_str { $L__info0: .b8 102, 0 }`);
    const [bar, fence] = module.functions.get('k')!.instructions;
    assert.deepEqual(bar!.source, { file: '/src/a.cu', line: 7 });
    assert.deepEqual(fence!.source, { file: '/src/b.cuh', line: 9, inlinedAt: { file: '/src/a.cu', line: 8 } });
  });

  it('reads launch bounds', () => {
    const module = parsePtx(`${HEAD}.visible .entry k() .maxntid 256, 2, 1 .minnctapersm 4 { ret; }`);
    assert.deepEqual(module.functions.get('k')!.performance, { maxThreads: [256, 2, 1], minBlocksPerSm: 4 });
  });

  it('notes what it does not know, with line and text', () => {
    const cases: readonly [text: string, reason: RegExp][] = [
      ['frobnicate.u32 %r1, %r2;', /^the instruction frobnicate is not supported$/],
      ['add.rn.s32 %r1, %r2, %r3;', /this form of add is not supported: add\.rn\.s32/],
      ['add.s32 %r1, %r2;', /add\.s32 does not take 2 operands/],
      ['setp.lo.s32 %p1, %r1, %r2;', /the comparison lo does not apply to s32/],
      ['cvt.s32.f32 %r1, %f1;', /float to integer needs/],
      ['tex.2d.v4.f32.f32 {%f1,%f2,%f3,%f4}, [image, {%f5,%f6}];', /texture references are not supported/],
      ['ld.global.v2.f32 %f1, [%rd1];', /the vector width is 2 but 1 values are given/],
      ['tcgen05.wait::ld.sync.aligned;', /the instruction tcgen05 is not supported/],
    ];
    for (const [text, reason] of cases) {
      const noted = parsePtx(
        `${HEAD}.global .texref image;\n.visible .entry k()\n{\n.reg .pred %p<9>; .reg .b32 %r<9>; .reg .f32 %f<9>; .reg .b64 %rd<9>;\n${text}\nret;\n}`,
      )
        .functions.get('k')!
        .instructions.find(({ kind }) => kind === 'unsupported');
      assert.ok(noted?.kind === 'unsupported', text);
      assert.match(noted.reason, reason);
      assert.equal(noted.text, text.slice(0, -1));
      assert.ok(noted.line > 5);
    }
  });

  it('refuses what is no PTX, with line and text', () => {
    const cases: readonly [text: string, message: RegExp][] = [
      ['mov.u32 %r1, %undeclared;', /%undeclared is not declared/],
      ['bra nowhere;', /there is no label nowhere/],
      ['add.s32 %r1, %r2, ];', /']' is not an operand/],
    ];
    for (const [text, message] of cases) {
      assert.throws(
        () => body(text),
        (error: unknown) => error instanceof PtxError && message.test(error.message),
        text,
      );
    }
    assert.throws(() => parsePtx('int main() {}'), PtxError);
    assert.throws(() => parsePtx(''), /not PTX/);
  });
});
