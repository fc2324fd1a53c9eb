import { chmodSync, chownSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Mount } from '../../contracts/mount.ts';
import type { MappedRoot } from '../mapped-root.ts';
import type { HostRootPlan } from './host-root-plan.ts';

const planFile = 'host-root.json';
const planSchema = z.array(
  z.object({ type: z.string(), source: z.string(), target: z.string().exactOptional(), options: z.array(z.string()) }),
);

/** Makes what a plan needs in a snapshot's directory, and notes the plan's mounts there. */
export function layHostRoot(directory: string, plan: HostRootPlan, owner: MappedRoot | null): void {
  for (const { path, mode } of plan.directories) {
    mkdirSync(join(directory, path));
    if (owner !== null) chownSync(join(directory, path), owner.uid, owner.gid);
    chmodSync(join(directory, path), mode); // mkdir(2) heeds the umask
  }
  for (const { path, mode } of plan.files) {
    writeFileSync(join(directory, path), '', { mode });
    if (owner !== null) chownSync(join(directory, path), owner.uid, owner.gid);
  }
  for (const { path, target } of plan.symlinks) symlinkSync(target, join(directory, path));
  writeFileSync(join(directory, planFile), JSON.stringify(plan.mounts), { mode: 0o600 });
}

export function readPlan(directory: string): readonly Mount[] {
  return planSchema.parse(JSON.parse(readFileSync(join(directory, planFile), 'utf8')));
}
