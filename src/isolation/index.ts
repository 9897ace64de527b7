/** The door of the isolation room: programs that work on what strangers wrote run behind a wall, under limits. */
export { type ProcessLimits, type ProcessResult, runLimited } from './limited-process.ts';
export { behindWall, wallWorks } from './wall.ts';
