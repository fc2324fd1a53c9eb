import type { Command } from '../command.ts';
import { commitCommand } from './commit.ts';
import { eventsCommand } from './events.ts';
import { execCommand } from './exec.ts';
import { cpCommand, diffCommand, exportCommand } from './files.ts';
import { imagesCommand, rmiCommand, tagCommand } from './images.ts';
import { importCommand, loadCommand } from './import.ts';
import { infoCommand, versionCommand } from './info.ts';
import { inspectCommand } from './inspect.ts';
import { keepCommand } from './keep.ts';
import { pauseCommand, renameCommand, unpauseCommand, updateCommand, waitCommand } from './life.ts';
import { logsCommand } from './logs.ts';
import { psCommand } from './ps.ts';
import { pruneCommand, rmCommand } from './rm.ts';
import { createCommand, runCommand } from './run.ts';
import { attachCommand, startCommand } from './start.ts';
import { statsCommand } from './stats.ts';
import { killCommand, restartCommand, stopCommand } from './stop.ts';
import { topCommand } from './top.ts';

export interface CommandGroup {
  readonly title: string;
  readonly commands: readonly Command[];
}

/** Every command there is, in the order in which they are told of. */
export const groups: readonly CommandGroup[] = [
  {
    title: 'Run',
    commands: [runCommand, execCommand, createCommand, startCommand, attachCommand, keepCommand],
  },
  {
    title: 'Look',
    commands: [psCommand, logsCommand, inspectCommand, topCommand, statsCommand, eventsCommand, diffCommand],
  },
  {
    title: 'Change',
    commands: [
      ...[stopCommand, restartCommand, killCommand, pauseCommand, unpauseCommand, waitCommand],
      ...[renameCommand, updateCommand, rmCommand, pruneCommand],
    ],
  },
  { title: 'Files', commands: [cpCommand, exportCommand, commitCommand] },
  { title: 'Images', commands: [imagesCommand, importCommand, loadCommand, tagCommand, rmiCommand] },
  { title: 'About', commands: [infoCommand, versionCommand] },
];

export const commands: ReadonlyMap<string, Command> = new Map(
  groups.flatMap(({ commands: members }) => members.map((command) => [command.name, command])),
);
