import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { describeWith } from '../support/requires.ts';
import { build, projectRoot, run } from './published.ts';

interface Span {
  readonly name: string;
  readonly id: string;
  readonly parent?: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly string[];
  readonly milliseconds: number;
}

describeWith({ root: true }, 'examples/opentelemetry.mjs', () => {
  beforeAll(build);

  it('makes spans that nest, with what they are of, and how they failed', () => {
    const directory = mkdtempSync(join(tmpdir(), 'hako-spans-'));
    const said = run(process.execPath, ['test/support/opentelemetry-child.mjs', join(directory, 'root')], projectRoot);
    rmSync(directory, { recursive: true, force: true });

    const spans = JSON.parse(said) as readonly Span[];
    const [create, start, remove, whole, , failed] = spans;
    const names = ['containers.create', 'container.start', 'container.remove', 'runtime.run'].map(
      (name) => `hako ${name}`,
    );
    expect(spans.map(({ name }) => name)).toEqual([...names, ...names]);
    for (const child of [create, start, remove]) expect(child?.parent).toBe(whole?.id);
    expect(whole?.parent).toBeUndefined();
    expect(start?.attributes).toMatchObject({
      'container.id': expect.stringMatching(/^[0-9a-f]{64}$/),
      'container.name': 'traced',
      'container.image.name': expect.stringMatching(/^sha256:/),
    });
    expect(failed?.attributes).toMatchObject({ 'error.type': 'HAKO_ERR_COMMAND_NOT_FOUND' });
    expect(failed?.events).toEqual(['exception']);
    expect(create?.events).toEqual([]);
    for (const { milliseconds } of spans) expect(milliseconds).toBeGreaterThan(0);
  });
});
