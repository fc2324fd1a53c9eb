/** Control groups (cgroups(7)) v1, v2 and both at once: finding them, planning a container's, and what is done to them later. */
export { checkCpus, checkCpuset } from './cpuset.ts';
export { type CgroupOptions, openCgroups } from './detect.ts';
export { type CgroupFiles, type CgroupReader, kernelCgroupFiles } from './files.ts';
export { freezeGroups, freezerState, thawGroups } from './freeze.ts';
export { GatheredReads } from './gathered-reads.ts';
export type { IoFigures, IoUsage } from './io-usage.ts';
export { joinController, type LateGroup } from './join.ts';
export { limitWrites } from './limits.ts';
export { closeCgroups } from './parents.ts';
export { type CgroupGroup, type CgroupPlan, type CgroupRequest, planCgroup } from './plan.ts';
export { type Pressure, type PressureShare, type ResourcePressure, readPressure } from './pressure.ts';
export { removeGroups } from './remove.ts';
export { type ResourceOptions, type Resources, resolveResources, resourceOptions, sizeOption } from './resources.ts';
export { controllersOfChange, updateGroups } from './update.ts';
export { type CpuUsage, type MemoryUsage, type PidsUsage, type ResourceUsage, readUsage } from './usage.ts';
