import { expect, it } from 'vitest';
import { HakoError } from '../../src/base/errors.ts';
import { inShort } from '../../src/cli/long-names.ts';
import { sentenceOf } from '../../src/cli/sentence.ts';

it.each([
  ['container ls -a', 'ps -a'],
  ['container rm -f x', 'rm -f x'],
  ['container run bb sh', 'run bb sh'],
  ['image ls', 'images'],
  ['image rm x', 'rmi x'],
  ['image bogus', 'image bogus'],
  ['container images', 'container images'],
  ['container', 'container'],
  ['ps container', 'ps container'],
])('%s is %s', (words, short) => {
  expect(inShort(words.split(' ')).join(' ')).toBe(short);
});

it.each([
  ['These container options are not valid: resources.memory: at least 6m.', '--memory: at least 6m.'],
  [
    'These container options are not valid: autoRemove, restart: no; workingDirectory: not absolute.',
    '--rm, --restart: no; --workdir: not absolute.',
  ],
  ['These container options are not valid: healthcheck.startPeriod: no.', '--health-start-period: no.'],
  ['These container options are not valid: namespaces.network: no.', '--network: no.'],
  ['resources.cpusetCpus needs a controller.', '--cpuset-cpus needs a controller.'],
  ['resources.pids and ulimits.nofile cannot be had.', '--pids-limit and --ulimit nofile cannot be had.'],
  ['Stop it first, or remove it with force.', 'Stop it first, or remove it with hako rm -f.'],
])('says %s in the words of the command', (said, spoken) => {
  expect(sentenceOf(new HakoError('INVALID_OPTION', said))).toBe(spoken);
});
