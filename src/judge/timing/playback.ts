/**
 * A report's own windows played back as a device: the protocol run over them again, from the seed on, must come to what the report says. Sizes, order, looks, intervals,
 * noise floor and refusals all follow from the raw windows, so a number that was changed afterwards shows.
 * Played back clocks are `simulated`: no claim can be made of them a second time.
 */
import type { TimingDevice, WindowResult } from '../../device/index.ts';
import type { Sample } from './records.ts';
import type { TimingReport } from './report.ts';

/** The windows of `report`, in the order in which they were taken. A request that is not the recorded one gives no time, and says so. */
export function playback({
  facts,
  subjects,
  pilot,
  records,
}: Pick<TimingReport, 'facts' | 'subjects' | 'pilot' | 'records'>): TimingDevice<'simulated'> {
  return {
    source: 'simulated',
    facts,
    subjects,
    start: async (process) => {
      const record = records[process];
      const taken = [...(process === 0 ? pilot : []), ...(record ? [...record.settling, ...record.blocks.flat()] : [])];
      let next = 0;
      return {
        window: async (request): Promise<WindowResult> => {
          const sample: Sample | undefined = taken[next++];
          if (sample === undefined) return { status: 'failed', message: 'the record ends here' };
          const { subject, instance, work, calls } = sample.request;
          const same =
            subject === request.subject &&
            instance === request.instance &&
            work === request.work &&
            calls === request.calls;
          if (same) return sample.window;
          return {
            status: 'failed',
            message: `window ${next} of process ${process} is not the one that the seed asks for`,
          };
        },
        close: async () => undefined,
      };
    },
  };
}
