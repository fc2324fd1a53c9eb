import type { Command } from './command.ts';
import { groups } from './commands/index.ts';
import { globalOptions, spelling, usage, usageOf } from './help.ts';
import type { OptionTable } from './options.ts';

/** docs/cli.md: what of it is the same in every command is written here, the rest comes from the table of commands. */
export function reference(): string {
  const commands = groups.map(({ title, commands }) => `## ${title}\n\n${commands.map(commandSection).join('\n')}`);
  return `${introduction}\n${optionTable(globalOptions)}\n${commands.join('\n')}`;
}

const introduction = `# The command \`hako\`

<!-- Made by \`npm run docs:cli\` from src/cli: change it there. -->

A small program on the public API of libhako, with the words that users of Docker and podman know.

\`\`\`
${usage}
\`\`\`

There is no daemon. A container that is restarted by its policy, checked for its health or removed after its end (\`--rm\`) is
looked after by the \`hako\` that started it while that runs, and from then on by the next \`hako\`, or any other program with
libhako, that opens the same root.

**Exit codes** are Docker's: that of the program; 125 when the command line is wrong or \`run\` or \`create\` has failed, 126 when
the program cannot be executed, 127 when it is not there, 128 + n when signal n ended it; 1 when another command has failed.
A command on several containers does what it can and exits with 1 when one of them failed. 141: whoever read the output has gone. What goes wrong is one sentence on stderr.

**Output.** Lists are tables, cut to fit a terminal (\`--no-trunc\`), with colours only on a terminal and not with \`NO_COLOR\`.
\`--format json\` gives one object for each row, with Docker's names of fields; \`--format '{{.ID}} {{.Names}}'\` what it
says: fields, \`{{json .Field}}\`, \`\\t\` and \`\\n\`, and \`table\` before it for headings. \`inspect\`, \`info\`, \`version\` and
\`events\` give the objects of the API; their fields may be written in any case, as in \`{{.State.Status}}\`.

**Signals** (SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM) are passed on to the program that hako is attached to,
unless \`--sig-proxy=false\`; one of the first four kills it the third time. With \`-it\` keys go to the program; \`ctrl-p\`
\`ctrl-q\` lets go of a container and leaves it running.

Docker's long names are understood too: \`container ls\`, \`image rm\` and the like.

Options are written as Docker's are: \`-it\`, \`-m512m\`, \`--memory=512m\`, \`--init=false\`; the word after an option that takes
a value is its value. In \`run\`, \`create\`, \`exec\` and \`top\` what follows the first other word is the program's.
`;

function commandSection(command: Command): string {
  const { name, summary, details, options } = command;
  const more = details === undefined ? '' : `\n${details}\n`;
  const listed = Object.keys(options).length === 0 ? '' : `\n${optionTable(options)}`;
  return `### ${name}\n\n${summary}.\n\n\`\`\`\n${usageOf(command)}\n\`\`\`\n${more}${listed}`;
}

function optionTable(options: OptionTable): string {
  const rows = Object.entries(options).map(
    (entry) => `| \`${spelling(entry).replaceAll('|', '\\|')}\` | ${entry[1].help.replaceAll('|', '\\|')} |\n`,
  );
  return `| option | |\n| --- | --- |\n${rows.join('')}`;
}
