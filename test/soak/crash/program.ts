/**
 * What containers run: numbered lines on stdout, and after each a line in a file of the host. A line that is in the file
 * was taken by the pipe before, so it must be in the log; one more may be, of which the file does not know yet.
 */
export function countingProgram(name: string, lines: number, isEndless: boolean): readonly string[] {
  const run = `/side/${name}-$(ls /side | grep -c "^${name}-")`;
  const count = `i=0; while [ $i -lt ${lines} ]; do i=$((i+1)); echo "$i of $run"; echo $i >> $run; done`;
  return ['sh', '-c', `run=${run}; : > $run; ${count}; ${isEndless ? 'sleep 1000' : 'exit 7'}`];
}

/** The lines of a log by the run that wrote them, in the order in which runs first show up. */
export function linesByRun(lines: readonly string[]): ReadonlyMap<string, readonly number[]> {
  const runs = new Map<string, number[]>();
  for (const line of lines) {
    const [, number, run] = /^(\d+) of \/side\/(\S+)$/.exec(line) ?? [];
    if (number === undefined || run === undefined) throw new Error(`a torn line: ${JSON.stringify(line)}`);
    const known = runs.get(run) ?? [];
    known.push(Number(number));
    runs.set(run, known);
  }
  return runs;
}
