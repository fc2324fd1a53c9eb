import { HakoError } from '../base/errors.ts';
import { visible } from './output/visible.ts';

/** What the library's remedies are called here. */
const spoken: readonly (readonly [RegExp, string])[] = [
  [/runtime\.containers\.list\(\)/, 'hako ps -a'],
  [/Runtime\.open\(\{ root \}\)/, 'hako --root DIR'],
  [/import\(\{ kind: 'rootfs', rootfs: '(.*)' \}\)/, 'hako import --rootfs $1'],
  [/remove it with force\b/, 'remove it with hako rm -f'],
];

/** An error as one sentence for whoever typed the command; what is no HakoError is a mistake of ours, with its stack. */
export function sentenceOf(error: unknown): string {
  if (!(error instanceof HakoError)) return String((error as Error).stack);
  const message = spoken.reduce((text, [api, command]) => text.replace(api, command), error.message);
  return message.split('\n').map(visible).join('\n');
}
