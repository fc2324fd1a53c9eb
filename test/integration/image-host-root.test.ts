import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWith } from '../support/requires.ts';
import { runSource, runSourceAs } from '../support/source-process.ts';

const nobody = 65_534;

describeWith({ root: true, tools: ['setpriv', 'unshare'] }, "the host's own root", () => {
  let scratch: string;
  beforeAll(() => {
    // Not below /tmp, which is hidden in any case.
    scratch = mkdtempSync('/var/lib/hako-test-');
    chmodSync(scratch, 0o755);
    writeFileSync(join(scratch, 'host-file'), 'of the host');
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  describe.each(['root', 'an ordinary user'] as const)('as %s', (who) => {
    const see = (script: string, ...hide: string[][]): Promise<string> => seeOwn(() => script, ...hide);

    const seeOwn = async (scriptFor: (own: string) => string, ...hide: string[][]): Promise<string> => {
      const own = mkdtempSync(join(scratch, 'hako-'));
      if (who !== 'root') chownSync(own, nobody, nobody);
      const script = scriptFor(own);
      const args = [own, script, ...hide.map((each) => JSON.stringify(each))];
      const result =
        who === 'root'
          ? await runSource('host-root-child.ts', args)
          : await runSourceAs(nobody, 'host-root-child.ts', args);
      expect(result).toMatchObject({ stderr: '', exitCode: 0 });
      return result.stdout;
    };

    it('has the programs of the host, which run', async () => {
      expect(await see('chroot . /bin/sh -c "echo \\$((6 * 7)); test -x /usr/bin/env && echo env"')).toBe('42\nenv\n');
    });

    it('has places for what is mounted in every container', async () => {
      expect(await see('for d in proc sys dev tmp run etc usr; do test -d $d || echo no $d; done')).toBe('');
    });

    it('keeps what is written to itself', async () => {
      const name = `hako-test-${process.pid}`;
      expect(
        await see(
          `echo mine > tmp/${name}; mkdir usr/${name} 2>/dev/null || true; rm -f usr/bin/env 2>/dev/null || true; cat tmp/${name}`,
        ),
      ).toBe('mine\n');
      expect(existsSync(`/tmp/${name}`) || existsSync(`/usr/${name}`)).toBe(false);
      expect(existsSync('/usr/bin/env')).toBe(true);
    });

    it('hides homes and temporary files, and can be told to hide others', async () => {
      expect(await see('ls root home tmp 2>/dev/null | grep -v : | grep . || echo nothing')).toBe('nothing\n');
      const hidden = `${scratch}/hidden`;
      mkdirSync(hidden, { recursive: true });
      writeFileSync(join(hidden, 'file'), 'x');
      expect(await see(`ls ${hidden.slice(1)} | wc -l`, [hidden])).toBe('0\n');
      expect(await see(`ls ${hidden.slice(1)} | wc -l`, [])).toBe('1\n'); // positive control
    });

    it("never shows hako's own root", async () => {
      // Each run has a root of its own with a file `secret`; those of others are files of the host like any.
      const find = (own: string) =>
        `test -e ${own.slice(1)} && echo there; cat ${own.slice(1)}/secret 2>/dev/null || echo no secret`;
      expect(await seeOwn(find)).toBe('there\nno secret\n');
      expect(await seeOwn((own) => `cat ${own.slice(1)}/../host-file`)).toBe('of the host'); // positive control
    });
  });
});
