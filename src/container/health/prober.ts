import { finished } from 'node:stream/promises';
import { HakoError } from '../../base/errors.ts';
import type { NativeBinding } from '../../contracts/native-binding.ts';
import { given } from '../call-options.ts';
import type { ContainerNetwork } from '../container-network.ts';
import { runningState } from '../container-state.ts';
import type { ExecLauncher } from '../exec-launcher.ts';
import { isFirstProcess } from '../first-process.ts';
import type { Supervised } from '../supervision.ts';
import type { HttpCheck } from './http-options.ts';
import { isListening } from './listening.ts';
import type { HealthCall } from './options.ts';
import { Output } from './output.ts';
import type { HealthProbe } from './plan.ts';

/** What a check has found; more than 4 KiB of its output is left out. */
export interface Finding {
  readonly exitCode: number;
  readonly output: string;
}

/** A file that is larger is there all the same. */
const fileLimit = 1;

/** Makes health checks, each in its own way. */
export class Prober {
  readonly #execs: ExecLauncher;
  readonly #native: NativeBinding;
  readonly #network: ContainerNetwork;

  constructor(execs: ExecLauncher, native: NativeBinding, network: ContainerNetwork) {
    this.#execs = execs;
    this.#native = native;
    this.#network = network;
  }

  /** Aborting `signal` ends the check; what it had written until then is the finding. */
  async probe(
    supervised: Supervised,
    probe: HealthProbe,
    call: HealthCall | undefined,
    signal: AbortSignal,
  ): Promise<Finding> {
    switch (probe.kind) {
      case 'exec':
        return this.#exec(supervised, probe.command, signal);
      case 'tcp': {
        const run = runningState(supervised.record);
        const listens = isListening(run.pid, probe.port) && isFirstProcess(run);
        return found(listens, `Nothing listens on TCP port ${probe.port}.`);
      }
      case 'file': {
        const run = runningState(supervised.record);
        const isThere = (await this.#isFile(run.pid, probe.path)) && isFirstProcess(run);
        return found(isThere, `There is no file ${probe.path}.`);
      }
      case 'http':
        return this.#http(supervised, probe.check, signal);
      case 'call':
        return found((await call?.(signal)) === true, 'The function said no.');
    }
  }

  async #exec(supervised: Supervised, command: readonly string[], signal: AbortSignal): Promise<Finding> {
    const exec = await this.#execs.start(supervised, given.exec(command, { signal }));
    const output = new Output();
    const streams = [exec.stdout, exec.stderr].map((stream) =>
      finished(stream.on('data', (chunk: Buffer) => output.add(chunk))),
    );
    try {
      // The end may be known before the last of the output has come by.
      const [{ exitCode }] = await Promise.all([exec.exited, ...streams]);
      return { exitCode, output: output.text() };
    } catch (error) {
      if (!signal.aborted) throw error;
      await Promise.allSettled(streams);
      return { exitCode: -1, output: output.text() };
    } finally {
      await exec.close();
    }
  }

  async #http({ record }: Supervised, check: HttpCheck, signal: AbortSignal): Promise<Finding> {
    // Most processes that load this never make such a check.
    const { checkHttp } = await import('./http-check.ts');
    return checkHttp(await this.#network.connect(record, check.port, signal), check, signal);
  }

  async #isFile(pid: number, path: string): Promise<boolean> {
    try {
      return (await this.#native.readFileInRoot(`/proc/${pid}/root`, path, fileLimit)) !== null;
    } catch (error) {
      if (error instanceof HakoError && error.errno === 'EFBIG') return true;
      throw error;
    }
  }
}

function found(isHealthy: boolean, otherwise: string): Finding {
  return isHealthy ? { exitCode: 0, output: '' } : { exitCode: 1, output: otherwise };
}
