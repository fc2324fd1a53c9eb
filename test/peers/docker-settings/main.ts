/** `npm run compare:docker`: prints what a program sees differently under hako than under dockerd, and why. */
import { compareAll } from './compare-all.ts';

let [count, alike, unexplained] = [0, 0, 0];
for await (const { setting, lines, differences } of compareAll()) {
  count++;
  const flags = setting.flags.length === 0 ? '(no flags)' : setting.flags.join(' ');
  if (differences.length === 0) alike++;
  console.log(`docker run ${flags}: ${lines} lines, ${differences.length === 0 ? 'the same' : 'but for'}`);
  for (const { line, only, reason } of differences) {
    if (reason === undefined) unexplained++;
    console.log(
      `  ${only === 'docker' ? '−' : '+'} ${line}${reason === undefined ? '   NOT EXPLAINED' : `   (${reason})`}`,
    );
  }
}
console.log(
  `\n${count} settings: ${alike} the same, ${count - alike} with differences, ${unexplained} lines not explained`,
);
process.exitCode = unexplained === 0 ? 0 : 1;
