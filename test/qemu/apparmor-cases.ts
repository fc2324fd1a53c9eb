import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { HostInfo } from '../../src/contracts/host-info.ts';
import { Rootfs } from '../native/support/rootfs.ts';
import type { Case } from '../support/case.ts';
import { runShell } from '../support/cgroup-cases.ts';
import { IsolatedContainer } from '../support/isolated-run.ts';

const parser = '/usr/sbin/apparmor_parser';
const profile = `
abi <kernel>,
profile hako-test flags=(attach_disconnected) {
  file,
  capability,
  signal,
  deny /tmp/denied w,
}
`;

/** AppArmor, which is in the kernel of the virtual machine and of few test machines. */
export function appArmorCases(host: HostInfo): readonly Case[] {
  const missing = (): string | undefined =>
    !host.apparmor.supported ? host.apparmor.reason : existsSync(parser) ? undefined : parser;
  const script =
    'cat /proc/self/attr/current; echo x > /tmp/allowed && echo allowed; echo x > /tmp/denied && echo denied';
  return [
    {
      name: 'AppArmor: a profile that was named confines the program, and without one it is unconfined',
      missing,
      async run() {
        writeFileSync('/tmp/profile', profile.replace('abi <kernel>,\n', ''));
        execFileSync(parser, ['--replace', '--skip-cache', '/tmp/profile']);
        assert.match(readFileSync('/sys/kernel/security/apparmor/profiles', 'utf8'), /hako-test \(enforce\)/);
        const confined = await runShell(script, { settings: { apparmor: 'hako-test' } });
        assert.equal(confined.stdout, 'hako-test (enforce)\nallowed\n', JSON.stringify(confined));
        // Who comes in later is confined too.
        using rootfs = new Rootfs();
        const options = { settings: { apparmor: 'hako-test' } };
        await using container = await IsolatedContainer.launch(rootfs, ['/bin/sleep', '1000'], options);
        await container.started();
        const entered = await container.exec(['/bin/sh', '-c', script]);
        assert.equal(entered.stdout, 'hako-test (enforce)\nallowed\n', JSON.stringify(entered));
        // The positive control: the same program without the profile writes.
        const free = await runShell(script, { settings: { apparmor: 'unconfined' } });
        assert.equal(free.stdout, 'unconfined\nallowed\ndenied\n', JSON.stringify(free));
      },
    },
    {
      name: 'AppArmor: a profile that is not loaded stops the start',
      missing,
      async run() {
        const { failure } = await runShell('echo ran', { settings: { apparmor: 'hako-absent' } });
        assert.match(failure ?? '', /apparmor/i);
      },
    },
  ];
}
