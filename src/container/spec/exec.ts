import type { CgroupGroup } from '../../cgroup/index.ts';
import type { AttachStreams, ExecRequest } from '../../native/protocol.ts';
import type { ParsedExecOptions } from '../options.ts';
import { execProcess, type ProcessContext } from './process.ts';

export interface ExecContext extends ProcessContext {
  readonly id: string;
  readonly command: readonly string[];
  readonly exec: ParsedExecOptions;
  /** Those that the container is in now. */
  readonly groups: readonly CgroupGroup[];
  readonly attach: AttachStreams;
}

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` without a command. */
export function compileExec(context: ExecContext): ExecRequest {
  return {
    id: context.id,
    detached: context.exec.detached,
    stdin: context.exec.stdin,
    attach: context.attach,
    cgroups: context.groups.map(({ directory }) => directory),
    process: execProcess(context, context.command, context.exec),
  };
}
