"""Every call of a program that changes a file, killed or failing: the output is the old one or the new one and never
anything else, and a rerun makes what an undisturbed run makes, byte by byte.

CBIR_FAULTS says how many moments of each command are tried in each way: calls, as far as there are so many, and for kills any moments
then. Unless it is given, a command is killed at four calls, and a call of each kind fails."""
import itertools
import os
import random
import shutil
import subprocess
import time

from PIL import Image

from cbirtest import BIN, MOMENTS, main, need
from faults import ATTEMPTS, MANY, TYPES
from writers import Writers

FAILURES = ('ENOSPC', 'EIO', 'EINTR', 'short')


class Moments(Writers):
    """A command works in the folder `work`; what it needs lies beside that, or in it before it starts."""
    failures = itertools.cycle(FAILURES)  # over all commands, so that calls of each kind fail in each way

    def setUp(self):
        super().setUp()
        need(self, MOMENTS)
        self.before = self.dir / 'before'

    def restore(self):
        shutil.rmtree(self.work)
        shutil.copytree(self.before, self.work)

    def run_at(self, command, moment=0, how='count'):
        """Runs the command with bad luck at a moment; how it ended, and which call went wrong. Without a moment: all calls."""
        log = self.dir / 'log'
        log.unlink(missing_ok=True)
        env = {**self.env, **self.bad_luck(moment, how, self.work), 'MOMENTS_LOG': str(log)}
        done = self.run_tool(*command, env=env, expect=None)
        return done, log.read_text().split() if log.exists() else []

    def kill_after(self, command, seconds):
        process = subprocess.Popen([str(BIN / command[0]), *map(str, command[1:])], cwd=self.dir, env={**os.environ, **self.env},
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        time.sleep(seconds)
        process.kill()
        stderr = process.communicate()[1]
        return subprocess.CompletedProcess(command, process.returncode, b'', stderr), []

    def chosen(self, calls, seconds):
        """The moments to try, as pairs: how, and which call, or after how many seconds."""
        number = len(calls)
        spread = sorted({1 + (number - 1) * i // max(ATTEMPTS - 1, 1) for i in range(ATTEMPTS)})
        if MANY:
            chance = random.Random(1)
            return ([(how, moment) for how in ('kill', *FAILURES) for moment in spread] +
                    [('kill at any moment', chance.uniform(0, seconds)) for _ in range(ATTEMPTS - len(spread))])
        last = {call: moment for moment, call in enumerate(calls, 1)}  # of each kind
        return [('kill', moment) for moment in spread] + [(next(Moments.failures), moment) for moment in last.values()]

    def rerun(self, command, again):
        """Runs the command undisturbed; if it refuses what is there already, once more with the options of `again`."""
        done = self.run_tool(*command, env=self.env, expect=None)
        if done.returncode != self.status:
            self.assertIn(done.returncode, again[0], done.stderr.decode(errors='replace'))
            if again[1]:
                self.run_tool(*command, *again[1], env=self.env, expect=self.status)

    def parts(self, before, wanted):
        """A state in between: each file is there as it was, or as it will be."""
        return lambda found: before.keys() <= found.keys() and all(
            data in (before.get(name), wanted.get(name)) for name, data in found.items())

    def try_all(self, command, again=((7,), ['--force']), status=0, finished=None, between=None):
        """`status`: of an undisturbed run. `again`: statuses by which a rerun may say that all was done already, and options
        with which it is done again. `finished(found, wanted)`: whether what is in the folder is the result of an undisturbed
        run; `between(found)`: whether it is what a run may leave that was stopped."""
        self.status = status
        finished = finished or (lambda found, wanted: found == wanted)
        shutil.rmtree(self.before, ignore_errors=True)
        shutil.copytree(self.work, self.before)
        before = self.contents()
        start = time.monotonic()
        done, calls = self.run_at(command)
        seconds = time.monotonic() - start
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertGreater(len(calls), 2)
        wanted = self.contents()
        between = between or self.parts(before, wanted)
        chosen = self.chosen(calls, seconds)
        for how, moment in chosen:
            self.restore()
            done, hit = self.kill_after(command, moment) if how == 'kill at any moment' else self.run_at(command, moment, how)
            call = hit[0] if hit else None
            with self.subTest(command=' '.join(map(str, command)), how=how, moment=moment, call=call):
                self.check_end(done, how, call)
                found = self.contents()
                self.assertTrue(finished(found, wanted) or (done.returncode != status and between(found)),
                                self.difference(found, wanted))
                self.rerun(command, again)
                found = self.contents()
                self.assertTrue(finished(found, wanted), self.difference(found, wanted))
                self.check_rest(found)
        if MANY:
            kills = sum(how.startswith('kill') for how, _ in chosen)
            print(f'{" ".join(map(str, command[:2]))}: {len(calls)} calls, {kills} kills, {len(chosen) - kills} failures', flush=True)
        self.restored(wanted)

    def check_end(self, done, how, call):
        message = done.stderr.decode(errors='replace')
        if how == 'kill' and call:
            self.assertEqual(done.returncode, -9, message)
        elif how == 'kill at any moment':
            self.assertIn(done.returncode, (-9, self.status), message)
        elif how in ('kill', 'short') or not call:  # with threads, not every run has as many moments
            self.assertEqual(done.returncode, self.status, message)
        else:
            self.assertIn(done.returncode, (self.status, 4, 7, 9) if call == 'mmap' else (self.status, 7), message)
            if done.returncode != self.status:
                self.assertIn(': error: ', message)

    def check_rest(self, found):
        """What must not be there after a rerun, whatever the result."""
        self.assertEqual([name for name in found if '.tmp' in name], [])

    def restored(self, wanted):
        """The folder after an undisturbed run, for the next command."""
        shutil.rmtree(self.work)
        for name, data in wanted.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    @staticmethod
    def difference(found, wanted):
        return {name: (len(found[name]) if name in found else None, len(wanted[name]) if name in wanted else None)
                for name in sorted(found.keys() | wanted.keys()) if found.get(name) != wanted.get(name)}


def files(found):
    """What is no state."""
    return {name: data for name, data in found.items() if not name.startswith('a.state')}


class Extraction(Moments):
    def setUp(self):
        super().setUp()
        (self.dir / 'photos').mkdir()
        for i in range(40):
            self.put(f'{i:02}', i)
        (self.dir / 'photos/bad.jpg').write_bytes(b'\xff\xd8\xff\xe0')

    def put(self, name, i):
        Image.new('RGB', (20, 20), (6 * i, 255 - 6 * i, 40)).save(self.dir / f'photos/{name}.jpg', quality=95)

    def test_a_set_is_brought_up_to_date(self):
        command = ['cbir-extract', '-o', 'work/a', 'photos', '--model', 'colours', '--batch', '4', '--threads', '1', '--update']
        self.run_tool(*command, env=self.env, expect=3)
        self.put('005', 41)                                                   # all after it move on
        self.put('11', 42)
        (self.dir / 'photos/20.jpg').rename(self.dir / 'photos/moved.jpg')
        (self.dir / 'photos/30.jpg').unlink()
        old = files(self.contents())
        # Until the new set is put in place the old one is there; then, for a moment, neither has a manifest.
        self.try_all(command, again=((0,), []), status=3, finished=lambda found, wanted: files(found) == files(wanted),
                     between=lambda found: 'a.json' not in found or files(found) == old)
        self.run_tool('cbir-extract', '-o', 'fresh', *command[3:-1], env=self.env, expect=3)
        for suffix in ('npy', 'rows.jsonl', 'json', 'failed.jsonl'):
            self.assertEqual((self.work / f'a.{suffix}').read_bytes(), (self.dir / f'fresh.{suffix}').read_bytes())

    def test_pictures_into_a_set(self):
        # Until all is there no manifest is, and so no set: the state alone, with which the next run goes on.
        command = ['cbir-extract', '-o', 'work/a', 'photos', '--model', 'colours', '--batch', '4', '--threads']
        for threads in '1', '3':  # of three threads calls come in another order every time
            self.empty()
            self.try_all([*command, threads], again=((0,), []), status=3,
                         finished=lambda found, wanted: files(found) == files(wanted), between=lambda found: 'a.json' not in found)

    def test_arrays_and_local_features_beside_a_set(self):
        self.use_vision()
        shutil.rmtree(self.dir / 'photos')
        self.blots(*(f'photos/{i}.jpg' for i in range(6)))
        command = ['cbir-extract', '-o', 'work/a', 'photos', '--model', 'colours', '--threads', '1']
        self.run_tool(*command, env=self.env)
        for options in ['--npy-labels'], ['--local', 'orb', '--keypoints', '50']:
            old = files(self.contents())
            self.try_all([*command, *options], again=((0, 7), ['--force']),
                         finished=lambda found, wanted: files(found) == files(wanted),
                         between=lambda found: old.items() <= files(found).items())

    def test_regions_into_a_set(self):
        self.use_vision()
        shutil.rmtree(self.dir / 'photos')
        self.blots(*(f'photos/{i}.jpg' for i in range(4)))
        self.try_all(['cbir-extract', '-o', 'work/a', 'photos', '--model', 'colours', '--regions', 'grid', '--max-regions', '5',
                      '--batch', '2', '--threads', '1'], again=((0,), []),
                     finished=lambda found, wanted: files(found) == files(wanted), between=lambda found: 'a.json' not in found)


class Indexes(Moments):
    def test_an_index_grows_and_shrinks(self):
        self.make_set('base', 600, 1)
        self.make_set('more', 300, 2)
        for kind in TYPES:
            shutil.rmtree(self.work)
            self.work.mkdir()
            self.try_all(['cbir-index', 'build', 'base', '-o', 'work/x.cbir', '--type', kind, '--threads', '1'])

            # An append begins behind the end of the file: what a stopped one left there is none of the index's.
            def rows(found):
                path = self.dir / 'looked-at.cbir'
                path.write_bytes(found['x.cbir'])
                return self.rows(path)

            def same_answer(found, wanted):
                return list(found) == list(wanted) and rows(found) == rows(wanted)

            for command, again in ((['add', 'work/x.cbir', 'more', '--threads', '1'], ((6,), [])),
                                   (['remove', 'work/x.cbir', '--where-label', 'odd'], ((4,), []))):
                self.try_all(['cbir-index', *command], again=again, finished=same_answer,
                             between=lambda found: same_answer(found, {'x.cbir': (self.before / 'x.cbir').read_bytes()}))
            self.try_all(['cbir-index', 'compact', 'work/x.cbir', '--threads', '1'], again=((), []))

    def test_an_index_follows_a_set(self):
        self.make_set('base', 300, 1)
        self.make_set('more', 200, 2)
        self.run_tool('cbir-index', 'build', 'base', '-o', 'work/x.cbir', '--type', 'flat')

        def rows(found):
            path = self.dir / 'looked-at.cbir'
            path.write_bytes(found['x.cbir'])
            return self.rows(path)

        self.try_all(['cbir-index', 'sync', 'work/x.cbir', 'more', '--threads', '1'],
                     finished=lambda found, wanted: list(found) == list(wanted) and rows(found) == 200,
                     between=lambda found: list(found) == ['x.cbir'] and rows(found) == 300)

    def test_what_is_made_of_indexes(self):
        self.make_set('base', 300, 1)
        self.make_set('more', 200, 2)
        self.run_tool('cbir-index', 'build', 'base', '-o', 'a.cbir', '--type', 'flat')
        self.run_tool('cbir-index', 'build', 'more', '-o', 'b.cbir', '--type', 'flat')
        for command in self.made_of_indexes():
            self.try_all(command.args, again=command.again)


class Results(Moments):
    def test_rankings_scores_and_pages(self):
        for command in self.answers():
            self.try_all(command.args, again=command.again)

    def test_what_is_made_of_pictures(self):
        for command in self.of_pictures():
            self.try_all(command.args, again=command.again)

    def test_weights(self):
        command = self.fetching()
        self.try_all(command.args, again=command.again)


class Catalogues(Moments):
    """Features of pictures that no row knows may lie in the folder for a while, and their files be numbered otherwise."""

    def listed(self, found):
        """The items of a catalogue, each with pictures and keypoints, and whether its index is sound."""
        shop = self.dir / 'looked-at'
        shutil.rmtree(shop, ignore_errors=True)
        shop.mkdir()
        for name, data in found.items():
            if name.startswith('shop/'):
                (shop / name.removeprefix('shop/')).write_bytes(data)
        if (shop / 'index.cbir').exists():
            self.run_tool('cbir-index', 'verify', shop / 'index.cbir')
        return self.run_tool('cbir-catalog', 'list', shop, env=self.env).stdout

    def check_rest(self, found):
        super().check_rest(found)
        self.assertEqual([name for name in found if 'adding' in name], [])

    def change(self, *args, **kw):
        before = self.listed(self.contents())
        self.try_all(['cbir-catalog', *args, '--threads', '1'],
                     finished=lambda found, wanted: self.listed(found) == self.listed(wanted),
                     between=lambda found: self.listed(found) == before, **kw)

    def test_a_catalogue_grows_and_shrinks(self):
        identify = self.catalogue()
        create = ['cbir-catalog', 'create', 'work/shop', '--model', 'blind']
        self.try_all(create, again=((7,), []))
        self.change('add', 'work/shop', 'first', again=((), []))
        self.change('add', 'work/shop', 'second', again=((), []))
        self.change('remove', 'work/shop', 'vase', again=((4,), []))
        self.empty()
        self.try_all(identify.args, again=identify.again)


if __name__ == '__main__':
    main()
