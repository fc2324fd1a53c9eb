/** Control groups (cgroups(7)) v1, v2 and both at once: finding them, planning a container's, and what is done to them later. */
export { type CgroupOptions, openCgroups } from './detect.ts';
export { type CgroupFiles, kernelCgroupFiles } from './files.ts';
export { freezeGroups, thawGroups } from './freeze.ts';
export { closeCgroups } from './parents.ts';
export { type CgroupGroup, type CgroupPlan, type CgroupRequest, planCgroup } from './plan.ts';
export { removeGroups } from './remove.ts';
export { type ResourceOptions, type Resources, resolveResources, resourceOptions, sizeOption } from './resources.ts';
export { updateGroups } from './update.ts';
export { type ResourceUsage, readUsage } from './usage.ts';
