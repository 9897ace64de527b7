/** The corpora judged on this GPU: cheats must be rejected, honest kernels must pass, and every difference from the virtual GPU's verdict is named. */
import { createVirtualDevice } from '../../src/device/index.ts';
import { CorpusBench, disagreement } from '../corpus.ts';
import { corpusCases } from '../corpus-cases.ts';
import type { Place, Stage } from './place.ts';

/** The cases of this run. */
export function casesOf({ filter, most }: Pick<Place, 'filter' | 'most'>, kinds: readonly string[]) {
  return kinds.flatMap((kind) =>
    corpusCases(filter)
      .filter((each) => each.kind === kind)
      .slice(0, most),
  );
}

export const corpusStage: Stage = {
  name: 'corpora',
  purpose: 'cheats rejected, honest kernels accepted, as on the virtual GPU',
  shared: true,
  run: async (place) => {
    const cases = casesOf(place, ['cheats', 'honest']);
    const { id: gpu } = place.target;
    const real = new CorpusBench(cases, place.cache, { device: place.device, gpu });
    const virtual = new CorpusBench(cases, place.cache, { device: createVirtualDevice({ gpu }), gpu });
    try {
      const { made, left } = await place.each(
        'corpora',
        cases,
        ({ kind, name }) => `${kind}/${name}`,
        async (each) => {
          const [here, there] = [await real.judge(each), await virtual.judge(each)];
          const fault = disagreement(each, here);
          const differs = here.outcome !== there.outcome || here.check !== there.check;
          process.stdout.write(
            `${differs ? 'differs' : 'ok     '} ${each.kind}/${each.name}: ${here.outcome} ${here.check ?? ''}\n`,
          );
          return {
            case: `${each.kind}/${each.name}`,
            outcome: here.outcome,
            check: here.check,
            reason: here.reason,
            fault,
            virtual: differs ? { outcome: there.outcome, check: there.check, reason: there.reason } : 'the same',
            // Another check may find a cheat first here; another outcome must be explained.
            // What the virtual one had no time for says nothing.
            wrong:
              here.outcome !== each.expect.outcome ||
              (here.outcome !== there.outcome && there.outcome !== 'unjudgeable'),
          };
        },
      );
      const wrong = made.filter((one) => one.wrong);
      const lines = wrong.map((one) => `${one.case}: ${one.outcome} by ${one.check ?? 'none'}: ${one.reason}`);
      const words = [`${made.length} cases, ${left} left, ${wrong.length} with another outcome`, ...lines].join('\n');
      return { passed: wrong.length === 0 && made.length > 0, left, content: { verdicts: made }, words };
    } finally {
      await virtual.close();
    }
  },
};
