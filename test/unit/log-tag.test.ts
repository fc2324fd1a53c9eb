import { describe, expect, it } from 'vitest';
import { TagTemplate } from '../../src/log/tag-template.ts';
import { logContainer } from '../support/log-container.ts';

const container = logContainer({
  id: `0123456789ab${'c'.repeat(52)}`,
  name: 'web-shop-1',
  command: '/bin/nginx -g daemon off',
  imageId: `sha256:${'d'.repeat(64)}`,
  imageName: 'docker.io/library/nginx:1.29',
  hostname: 'host-1',
});
const render = (template: string): string => new TagTemplate(template).render(container);

describe('TagTemplate', () => {
  it.each([
    ['plain text', 'plain text'],
    ['{{.ID}}', '0123456789ab'],
    ['{{.FullID}}', `0123456789ab${'c'.repeat(52)}`],
    ['{{ .Name }}', 'web-shop-1'],
    ['{{.Command}}', '/bin/nginx -g daemon off'],
    ['{{.ImageID}}', 'sha256:ddddd'],
    ['{{.ImageFullID}}', `sha256:${'d'.repeat(64)}`],
    ['{{.ImageName}}', 'docker.io/library/nginx:1.29'],
    ['{{.DaemonName}}/{{.Hostname}}', 'hako/host-1'],
    ['{{upper .Name}}', 'WEB-SHOP-1'],
    ['{{.Name | upper | lower}}', 'web-shop-1'],
    ['{{title "hello wide-open world"}}', 'Hello Wide-Open World'],
    ['{{join (split .Name "-") "/"}}', 'web/shop/1'],
    ['{{split .Name "-"}}', '[web shop 1]'],
    ['{{json .Name}}', '"web-shop-1"'],
    ['{{json (split .Name "-")}}', '["web","shop","1"]'],
    ['{{pad .ID 1 2}}|', ' 0123456789ab  |'],
    ['{{pad "" 1 2}}|', '|'],
    ['{{truncate .Name 3}}', 'web'],
    ['{{truncate .Name 300}}', 'web-shop-1'],
    ['{{truncate "größe" 3}}', 'gr'],
    ['a {{- .ID -}} b', 'a0123456789abb'],
    ['a{{/* nothing }} */}}b', 'ab'],
    ['{{"}}"}}', '}}'],
    ['{{`raw "text" \\n`}}', 'raw "text" \\n'],
    ['{{"tab\\tend"}}', 'tab\tend'],
    ['{{(((.ID)))}}', '0123456789ab'],
    ['}} stays', '}} stays'],
    ['{{42}}', '42'],
  ])('renders %s as Go does', (template, text) => {
    expect(render(template)).toBe(text);
  });

  it.each([
    ['{{.Nope}}', /field '\.Nope' is not known \(known: \.ID, \.FullID/],
    ['{{.__proto__}}', /field '\.__proto__' is not known/],
    ['{{nope .ID}}', /function 'nope' is not known \(known: json, split/],
    ['{{constructor .ID}}', /function 'constructor' is not known/],
    ['{{if .ID}}x{{end}}', /function 'if' is not known/],
    ['{{.ID', /not closed by '}}'/],
    ['{{', /not closed/],
    ['{{}}', /is missing/],
    ['{{.}}', /not understood/],
    ['{{.ID.Name}}', /not understood/],
    ['{{$x := 1}}', /not understood/],
    ['{{.ID .Name}}', /only a function takes parameters/],
    ['{{.ID | .Name}}', /a function must follow '\|'/],
    ['{{.ID |}}', /a function must follow '\|'/],
    ['{{(.ID}}', /a parenthesis is not closed/],
    ['{{.ID)}}', /a parenthesis is closed that was not opened/],
    ['{{lower upper .ID}}', /put a function that is one in parentheses/],
    ['{{"bad \\x escape"}}', /escape/],
    [`{{${'('.repeat(33)}.ID${')'.repeat(33)}}}`, /nested more than 32 deep/],
  ])('refuses %s with a reason', (template, reason) => {
    expect(() => new TagTemplate(template)).toThrow(
      expect.objectContaining({ code: 'HAKO_ERR_INVALID_OPTION', message: expect.stringMatching(reason) }),
    );
  });

  it.each([
    ['{{truncate .ID}}', /truncate takes \(text, number\), not \(text\)/],
    ['{{.ID | truncate 5}}', /truncate takes \(text, number\), not \(number, text\)/],
    ['{{join .ID ","}}', /join takes \(list, text\)/],
    ['{{pad .ID 100000000 0}}', /not between 0 and 1024/],
    ['{{truncate .ID -1}}', /not between/],
  ])('says what does not fit in %s', (template, reason) => {
    const parsed = new TagTemplate(template);
    expect(() => parsed.render(container)).toThrow(
      expect.objectContaining({ code: 'HAKO_ERR_INVALID_OPTION', message: expect.stringMatching(reason) }),
    );
  });

  it('takes no longer for a hostile template than for another of its length', () => {
    for (const hostile of [
      '{{/*'.repeat(20_000),
      '{{"'.repeat(20_000),
      `{{${' '.repeat(60_000)}x`,
      '{{-'.repeat(20_000),
      `{{.ID ${'|'.repeat(50_000)}`,
      `{{${'('.repeat(50_000)}}}`,
    ]) {
      const before = performance.now();
      expect(() => new TagTemplate(hostile)).toThrow();
      expect(performance.now() - before).toBeLessThan(1_000);
    }
  });
});
