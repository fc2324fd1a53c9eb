import { expect, test } from 'vitest';
import { execRequest, SupervisorProcess, shell } from './support/supervisor-process.ts';

const output = { stdin: false, stdout: true, stderr: true };
const everything = { stdin: true, stdout: true, stderr: true };

test('an exec is joined by others, by the beginning of its id, and outlives its session when it is let go of', async () => {
  await using supervisor = await SupervisorProcess.started({ process: shell('exec sleep 1000') });
  const [first, reader] = await Promise.all([supervisor.connect(), supervisor.connect()]);
  const [feeder, wrong, twin] = await Promise.all([supervisor.connect(), supervisor.connect(), supervisor.connect()]);
  await first.exec(
    execRequest(['/bin/sh', '-c', 'while read line; do echo "got $line"; done; exit 4'], {
      ...{ id: 'abc1', stdin: true, attach: everything },
    }),
  );
  await twin.exec(execRequest(['/bin/sleep', '1000'], { id: 'abd2', detached: true }));
  for (const exec of ['x', 'ab', 'abc12'])
    await supervisor.connect().then(async (session) => {
      session.send({ type: 'attach', ...output, exec });
      expect(await session.next('failed')).toMatchObject({ operation: 'attach', detail: exec });
    });
  reader.send({ type: 'attach', ...output, exec: 'abc' });
  expect(await reader.next('started')).toMatchObject({ tty: false });
  first.send({ type: 'stdin', data: Buffer.from('one\n') });
  for (const session of [first, reader])
    expect(Buffer.from((await session.next('output')).data).toString()).toBe('got one\n');
  reader.send({ type: 'hold', hold: false });
  reader.send({ type: 'state' });
  await reader.next('state-reply');
  first.socket.destroy();
  feeder.send({ type: 'attach', ...everything, exec: 'abc1' });
  await feeder.next('started');
  feeder.send({ type: 'stdin', data: Buffer.from('two\n') });
  expect(Buffer.from((await feeder.next('output')).data).toString()).toBe('got two\n');
  feeder.send({ type: 'stdin-eof' });
  for (const session of [feeder, reader]) expect(await session.next('exited')).toMatchObject({ exitCode: 4 });
  wrong.send({ type: 'attach', ...output, exec: 'abc1' });
  expect(await wrong.next('failed')).toMatchObject({ operation: 'attach', errno: 3 });
});
