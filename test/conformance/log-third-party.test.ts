import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { logDriverConformance } from 'libhako/plugin/conformance';
import { afterAll, describe, expect, it } from 'vitest';
import { plain } from '../support/plain-log-driver.ts';
import { sending, sent } from '../support/sending-log-driver.ts';
import { supervisorOutput } from '../support/supervisor-output.ts';

describe("a stranger's driver that sends output away", () => {
  const directory = mkdtempSync(join(tmpdir(), 'hako-log-sending-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'far-end');

  logDriverConformance({
    create: (context) => sending.create(context, sending.options.parse({ path })),
    reads: false,
    received: async ({ id }) => sent(path, id),
  });
});

describe("a stranger's driver", () => {
  logDriverConformance({
    create: (context) => plain.create(context, { size: 100_000 }),
    reads: false,
    output: supervisorOutput,
  });

  it('is the one that docs/logging.md shows', () => {
    const squeeze = (text: string): string => text.replaceAll(/\s+/g, '').replaceAll(/,(?=[)}])/g, '');
    const shown =
      /```ts\n(import \{ definePlugin \}[\s\S]*?)```/.exec(readFileSync('docs/logging.md', 'utf8'))?.[1] ?? '';
    expect(squeeze(shown)).toBe(squeeze(readFileSync('test/support/plain-log-driver.ts', 'utf8')));
  });
});
