// Holds the public API to the reports in api/, one for each entry of the package. --update writes them anew.
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor';

const root = fileURLToPath(new URL('..', import.meta.url));
const update = process.argv.includes('--update');
const configPath = join(root, 'api-extractor.json');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** `./plugins/log/json-file` → `libhako-plugins-log-json-file`. */
const reportName = (entry) => (entry === '.' ? 'libhako' : `libhako-${entry.slice(2).replaceAll('/', '-')}`);

const entries = Object.entries(manifest.exports).filter(([, target]) => typeof target === 'object');

function check([entry, { types }]) {
  const config = ExtractorConfig.loadFile(configPath);
  config.mainEntryPointFilePath = join(root, types);
  config.apiReport.reportFileName = reportName(entry);
  // Their types come from libhako/plugin and libhako, which have reports of their own.
  if (entry.startsWith('./plugins/') || entry === './testing')
    config.messages.extractorMessageReporting['ae-forgotten-export'] = { logLevel: 'none' };
  const extractorConfig = ExtractorConfig.prepare({
    configObject: config,
    configObjectFullPath: configPath,
    packageJsonFullPath: join(root, 'package.json'),
  });
  const result = Extractor.invoke(extractorConfig, {
    localBuild: update,
    messageCallback(message) {
      // The notice that a bundled compiler is older than the project's: it reads declarations only.
      if (message.messageId === 'console-compiler-version-notice' || message.messageId === 'console-preamble')
        message.handled = true;
    },
  });
  return result.errorCount > 0 || (!update && result.apiReportChanged);
}

/** What a report says is without documentation, of what has a name of its own or can be called. */
function undocumentedIn(report) {
  const lines = readFileSync(join(root, 'api', report), 'utf8').split('\n');
  return lines.flatMap((line, index) => {
    if (!line.includes('(undocumented)')) return [];
    const item = lines.slice(index + 1).find((next) => next.trim() !== '' && !next.trim().startsWith('//')) ?? '';
    const isSpoken = /^export |^ +(?:static )?(?:get )?[\w.]*(?:<[^(]*>)?\(/.test(item);
    return isSpoken && !/constructor|\[Symbol\./.test(item) ? [item.trim()] : [];
  });
}

mkdirSync(join(root, 'api'), { recursive: true });
const failed = entries.filter(check).map(([entry]) => reportName(entry));
const names = new Set(entries.map(([entry]) => `${reportName(entry)}.api.md`));
const stale = readdirSync(join(root, 'api')).filter((name) => !names.has(name));
for (const name of failed)
  console.error(
    `api/${name}.api.md is not what the sources say: look at the difference, then npm run check:api -- --update`,
  );
for (const name of stale) console.error(`api/${name} is of no entry of package.json: remove it`);
const undocumented = [...names].flatMap((name) => undocumentedIn(name).map((item) => `api/${name}: ${item}`));
for (const item of undocumented) console.error(`${item} has no documentation: say what it is in TSDoc`);
console.log(
  `api: ${entries.length} entries, ${failed.length + stale.length} differences, ${undocumented.length} without documentation`,
);
process.exitCode = failed.length + stale.length + undocumented.length === 0 ? 0 : 1;
