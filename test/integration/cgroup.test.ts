import { testCases } from '../support/cases.ts';
import { cgroupCases } from '../support/cgroup-cases.ts';
import { thisHost } from '../support/isolated-run.ts';
import { describeWith } from '../support/requires.ts';

const host = await thisHost();

describeWith({ root: true }, `control groups (${host.cgroup.layout})`, () => testCases(cgroupCases(host)));
