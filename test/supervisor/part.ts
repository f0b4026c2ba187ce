/**
 * A part that does as it is told: `part.ts <diary> <name> [trait …]`. What happens to it stands in the diary.
 *
 *     mute         never says that it works
 *     dies         ends with code 3 before it works
 *     crashes      ends with code 4 once it works
 *     waits:<line> works once the diary holds the line
 *     stubborn     takes no notice of SIGTERM
 */
import { appendFileSync, readFileSync } from 'node:fs';

const [diary = '', name = '', ...traits] = process.argv.slice(2);
const note = (what: string) => appendFileSync(diary, `${name} ${what}\n`);

process.on('SIGTERM', () => {
  note('is told to end');
  if (traits.includes('stubborn')) return;
  // Others have the time to be told, should they not wait for this one.
  setTimeout(() => {
    note('ends');
    process.exit(0);
  }, 50);
});
process.on('disconnect', () => process.exit(0));

note('starts');
if (traits.includes('dies')) process.exit(3);
const awaited = traits.find((trait) => trait.startsWith('waits:'))?.slice('waits:'.length);
const timer = setInterval(() => {
  if (awaited !== undefined && !readFileSync(diary, 'utf8').split('\n').includes(awaited)) return;
  clearInterval(timer);
  if (traits.includes('mute')) return;
  process.send?.({ kind: 'ready', urls: { [name]: `http://${name}` } }, () => {
    if (traits.includes('crashes')) process.exit(4);
  });
}, 5);
// Holds the process, also once it works.
setInterval(() => {}, 60_000);
