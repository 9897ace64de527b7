/** The door of the isolation room: programs that work on what strangers wrote run behind a wall, under limits. */
export { Channel, type Listener } from './channel.ts';
export { type Enclosure, type Kept, standingEnclosure } from './enclosure.ts';
export { type ProcessLimits, type ProcessResult, runLimited } from './limited-process.ts';
export {
  answerParent,
  FIRST_GIVEN,
  memoryLimitKiB,
  type NodeChild,
  type NodeChildOptions,
  startNodeChild,
} from './node-child.ts';
export { loadingFlags, programDirectory, programFiles } from './program-files.ts';
export { behindWall, wallWorks } from './wall.ts';
