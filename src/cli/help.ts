import type { Command } from './command.ts';
import { groups } from './commands/index.ts';
import type { OptionSpec, OptionTable } from './options.ts';

/** Before the command. */
export const globalOptions = {
  root: { type: 'text', value: 'DIR', help: 'Where everything is kept; default $HAKO_ROOT, else the usual place' },
  'storage-driver': { type: 'text', value: 'DRIVER', help: 'overlay2 or vfs; default: what the host can' },
  'cgroup-parent': { type: 'text', value: 'GROUP', help: "Control group under which containers' groups are made" },
  help: { type: 'flag', short: 'h', help: 'Show this' },
  version: { type: 'flag', short: 'v', help: 'As the command version' },
} as const satisfies OptionTable;

export const usage = 'hako [OPTIONS] COMMAND …';

/** `-m, --memory BYTES` */
export function spelling([name, { short, aliases = [], value }]: readonly [string, OptionSpec]): string {
  const names = [...(short === undefined ? [] : [`-${short}`]), `--${name}`, ...aliases.map((alias) => `--${alias}`)];
  return `${names.join(', ')}${value === undefined ? '' : ` ${value}`}`;
}

export function usageOf({ name, options, operands }: Command): string {
  const parts = ['hako', name, Object.keys(options).length === 0 ? '' : '[OPTIONS]', operands.usage];
  return parts.filter((part) => part !== '').join(' ');
}

export function help(): string {
  const sections = groups.map(({ title, commands }) =>
    section(
      title,
      commands.map(({ name, summary }) => [name, summary]),
    ),
  );
  return `Usage: ${usage}\n\n${optionsSection(globalOptions)}\n${sections.join('\n')}\nhako COMMAND --help tells more.\n`;
}

export function commandHelp(command: Command): string {
  const { summary, options, details } = command;
  const more = details === undefined ? '' : `\n${details.replaceAll('`', '')}\n`;
  const listed = Object.keys(options).length === 0 ? '' : `\n${optionsSection(options)}`;
  return `Usage: ${usageOf(command)}\n\n${summary.replaceAll('`', '')}\n${more}${listed}`;
}

function optionsSection(options: OptionTable): string {
  return section(
    'Options',
    Object.entries(options).map((entry) => [
      entry[1].short === undefined ? `    ${spelling(entry)}` : spelling(entry),
      entry[1].help,
    ]),
  );
}

/** Help beside its word, or below one that is too long. */
function section(title: string, rows: readonly (readonly [word: string, help: string])[]): string {
  const width = Math.min(28, Math.max(...rows.map(([word]) => word.length)));
  const lines = rows.map(([word, text]) =>
    word.length > width ? `  ${word}\n  ${' '.repeat(width)}  ${text}\n` : `  ${word.padEnd(width)}  ${text}\n`,
  );
  return `${title}:\n${lines.join('')}`;
}
