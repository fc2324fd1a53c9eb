import { sinkRequest } from '../../src/container/spec/sink.ts';
import type { LogSink } from '../../src/contracts/log-driver.ts';
import type { LogOutput, SinkSurroundings } from '../../src/plugins/conformance/sink-output.ts';
import { SupervisorProcess, shell } from '../native/support/supervisor-process.ts';

/** Prints each line that it reads, but for its first letter, which says where to. */
const printer = `while IFS= read -r line; do case "$line" in e*) printf '%s\\n' "\${line#?}" >&2;; *) printf '%s\\n' "\${line#?}";; esac; done`;

/** A supervisor in a container's directory that runs the sink; what it does to it is the real thing. */
export function supervisorWith(
  sink: LogSink,
  directory: string,
  rotated: () => void,
  command: string,
): SupervisorProcess {
  const supervisor = new SupervisorProcess(directory);
  supervisor.start({
    stdin: true,
    attach: { stdin: true, stdout: true, stderr: true },
    process: shell(command),
    sink: sinkRequest(sink),
  });
  let seen = 0;
  supervisor.owner.socket.on('data', () => {
    for (; seen < supervisor.owner.frames.length; seen++)
      if (supervisor.owner.frames[seen]?.type === 'log-rotated') rotated();
  });
  return supervisor;
}

/** Output that a real supervisor takes from a real process. */
export function supervisorOutput(sink: LogSink, directory: string, { rotated }: SinkSurroundings): LogOutput {
  const supervisor = supervisorWith(sink, directory, rotated, printer);
  const { owner } = supervisor;
  const expected = { stdout: 0, stderr: 0 };
  return {
    write: async (stream, text) => {
      for (const line of text.split('\n').slice(0, -1)) {
        for (
          let rest = Buffer.from(`${stream === 'stdout' ? 'o' : 'e'}${line}\n`);
          rest.length > 0;
          rest = rest.subarray(32_768)
        ) {
          owner.send({ type: 'stdin', data: rest.subarray(0, 32_768) });
        }
      }
      expected[stream] += Buffer.byteLength(text);
      if (owner.output(stream).length < expected[stream])
        await owner.next('output', () => owner.output(stream).length >= expected[stream]);
      // What it has shown it has written before it answers this.
      const replies = owner.frames.filter((frame) => frame.type === 'state-reply').length;
      owner.send({ type: 'state' });
      await owner.next(
        'state-reply',
        () => owner.frames.filter((frame) => frame.type === 'state-reply').length > replies,
      );
    },
    [Symbol.asyncDispose]: async () => {
      owner.send({ type: 'stdin-eof' });
      await owner.next('exited');
      owner.socket.destroy();
      await supervisor.exited;
    },
  };
}
