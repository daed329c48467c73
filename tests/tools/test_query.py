"""cbir-query as a user runs it: vectors against NumPy, formats, exit statuses, pictures, folders, the page in a browser."""
import json
import os
import shutil
import subprocess
import unittest
from pathlib import Path

import numpy as np
from PIL import Image

from cbirtest import BIN, ToolTest, main, xxh3

LIGHT = BIN / 'cbir-query'
MODELS = Path(os.environ.get('CBIR_MODELS') or
              Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'cbir/models')
WEIGHTS = MODELS / 'efficientnet-lite0-57934424.pth'
NETS = BIN.parent / 'lib/libcbir_nets.so'


def expected(rows, queries, k):
    """Exact cosine ranking: ids and scores, ties by ascending id."""
    unit = [m / np.linalg.norm(m.astype(np.float64), axis=1, keepdims=True) for m in (queries, rows)]
    scores = unit[0] @ unit[1].T
    order = np.argsort(-scores, axis=1, kind='stable')[:, :k]
    return order, np.take_along_axis(scores, order, axis=1)


class VectorQueries(ToolTest):
    def setUp(self):
        super().setUp()
        random = np.random.default_rng(7)
        self.rows = random.standard_normal((500, 33)).astype(np.float32)
        self.queries = random.standard_normal((40, 33)).astype(np.float32)
        np.save(self.dir / 'x.npy', self.rows)
        np.save(self.dir / 'q.npy', self.queries)
        self.out('cbir-index', 'build', 'x.npy', '-o', 'x.cbir')

    def query(self, *args, **kw):
        return self.out('cbir-query', 'x.cbir', *args, **kw)

    def test_ranking_is_numpys(self):
        ids, scores = expected(self.rows, self.queries, 7)
        lines = [line.split('\t') for line in self.query('--vectors', 'q.npy', '-k', 7).splitlines()]
        self.assertEqual(len(lines), 40 * 7)
        for line, (q, r) in zip(lines, np.ndindex(40, 7)):
            self.assertEqual(line[:2], [str(q), str(r + 1)])
            self.assertEqual(line[3], str(ids[q, r]))
            self.assertRegex(line[2], r'^-?\d\.\d{6}$')
            self.assertAlmostEqual(float(line[2]), scores[q, r], delta=2e-6)

    def test_more_than_there_is(self):
        self.assertEqual(len(self.query('--row', 3, '-k', 100000).splitlines()), 500)

    def test_ties_are_ranked_by_id(self):
        np.save(self.dir / 't.npy', np.ones((5, 3), np.float32))
        self.out('cbir-index', 'build', 't.npy', '-o', 't.cbir')
        self.assertEqual(self.out('cbir-query', 't.cbir', '--row', 2, '-k', 4),
                         ''.join(f'2\t{r}\t1.000000\t{r - 1}\n' for r in (1, 2, 3, 4)))

    def test_bytes_do_not_depend_on_threads_or_blocks(self):
        texts = {self.query('--vectors', 'q.npy', '--threads', n) for n in (1, 2, 4)}
        self.assertEqual(len(texts), 1)
        np.save(self.dir / 'q5.npy', self.queries[5:6])
        alone = self.query('--vectors', 'q5.npy')
        self.assertIn('\n' + alone.replace('0\t', '5\t', 1).splitlines()[0] + '\n', texts.pop())

    def test_rows_rank_themselves_first_unless_left_out(self):
        self.assertTrue(self.query('--row', 5, '-k', 2).startswith('5\t1\t1.000000\t5\n'))
        without = self.query('--row', 5, '--path', 9, '-k', 2, '--exclude-self').splitlines()
        self.assertEqual([line.split('\t')[0] for line in without], ['5', '5', '9', '9'])
        self.assertNotIn('1.000000', '\n'.join(without))

    def test_formats(self):
        first = json.loads(self.query('--row', 5, '-k', 1, '--format', 'jsonl'))
        self.assertEqual(first, {'query': '5', 'rank': 1, 'id': 5, 'score': 1.0, 'path': '5'})
        self.assertEqual(self.query('--row', 5, '-k', 1, '--format', 'trec', '--tag', 'run7'), '5 Q0 5 1 1.000000 run7\n')
        self.assertEqual(self.query('--row', 5, '-k', 1, '-0'), '5\t1\t1.000000\t5\0')

    def test_output_file_is_never_overwritten_unasked(self):
        self.assertEqual(self.query('--row', 5, '-k', 1, '-o', 'r.tsv'), '')
        self.assertEqual((self.dir / 'r.tsv').read_text(), '5\t1\t1.000000\t5\n')
        self.assertIn('--force', self.error('cbir-query', 'x.cbir', '--row', 6, '-o', 'r.tsv', expect=7))
        self.assertEqual((self.dir / 'r.tsv').read_text(), '5\t1\t1.000000\t5\n')
        self.query('--row', 6, '-k', 1, '-o', 'r.tsv', '--force')
        self.assertEqual((self.dir / 'r.tsv').read_text(), '6\t1\t1.000000\t6\n')

    def test_inputs_and_devices_are_not_replaced(self):
        for output in 'x.cbir', 'q.npy':
            self.error('cbir-query', 'x.cbir', '--vectors', 'q.npy', '-o', output, '--force', expect=2)
        self.out('cbir-index', 'verify', 'x.cbir')
        (self.dir / 'null').symlink_to('/dev/null')
        self.query('--row', 0, '-o', 'null')
        self.assertTrue((self.dir / 'null').is_char_device())

    def test_messages_never_get_into_the_output(self):
        call = f'"{BIN}/cbir-query" x.cbir --row 0 --min-score 2 -o none.tsv 0<&- 1>&- 2>&-'
        self.assertEqual(subprocess.run(['sh', '-c', call], cwd=self.dir).returncode, 0)
        self.assertEqual((self.dir / 'none.tsv').read_bytes(), b'')
        call = f'"{BIN}/cbir-query" x.cbir --row 0 1>&-'
        self.assertEqual(subprocess.run(['sh', '-c', call], cwd=self.dir, stderr=subprocess.DEVNULL).returncode, 7)

    def test_min_score(self):
        self.assertEqual(self.query('--row', 5, '--min-score', .999), '5\t1\t1.000000\t5\n')
        done = self.run_tool('cbir-query', 'x.cbir', '--row', 5, '--min-score', .99, '--exclude-self')
        self.assertEqual(done.stdout, b'')
        self.assertRegex(done.stderr, rb'^cbir-query: warning: nothing scores 0.99 or more; the best left out scores 0\.\d+\n$')

    def test_full_disk_is_status_7(self):
        with open('/dev/full', 'w') as full:
            done = subprocess.run([LIGHT, 'x.cbir', '--row', '5'], cwd=self.dir, stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 7)
        self.assertIn(b'No space left', done.stderr)

    def test_closed_pipe_is_quiet(self):
        np.save(self.dir / 'many.npy', np.tile(self.queries, (100, 1)))
        done = subprocess.run(['bash', '-c', 'set -o pipefail; "$0" x.cbir --vectors many.npy -k 500 | head -1; '
                               'echo ${PIPESTATUS[0]} >&2', LIGHT], cwd=self.dir, capture_output=True)
        self.assertEqual(done.stderr, b'141\n')  # SIGPIPE
        self.assertEqual(done.stdout.count(b'\n'), 1)

    def test_wrong_use(self):
        for args in ([], ['a.jpg', '--row', 1], ['--vectors', 'q.npy', '--files-from', 'l'], ['--row', 1, '--tag', 'x'],
                     ['--row', 1, '--root', '.'], ['--vectors', 'q.npy', '--exclude-self'], ['--row', 1, '--weights', 'w'],
                     ['--row', 1, '--format', 'jsonl', '-0'], ['--row', 1, '-k', 0], ['--row', 1, '--format', 'xml'],
                     ['--row', 1, '--min-score', 'nan'], ['--row', 1, '--min-score', 'automatic'],
                     ['--row', 1, '--min-score', ''], ['--row', -1]):
            with self.subTest(args):
                self.error('cbir-query', 'x.cbir', *args, expect=2)

    def test_missing_inputs(self):
        self.error('cbir-query', 'none.cbir', '--row', 1, expect=4)
        self.error('cbir-query', 'x.cbir', '--vectors', 'none.npy', expect=4)
        self.assertIn('ids from 0 to 499', self.error('cbir-query', 'x.cbir', '--row', 500, expect=4))
        self.error('cbir-query', 'x.cbir', '--path', 'a/b.jpg', expect=4)
        self.error('cbir-query', 'x.cbir', '--files-from', '-', stdin=b'\n\n', expect=4)

    def test_vectors_that_do_not_fit(self):
        np.save(self.dir / 'wide.npy', np.ones((2, 34), np.float32))
        self.error('cbir-query', 'x.cbir', '--vectors', 'wide.npy', expect=6)
        for bad in (np.nan, np.inf):
            vectors = self.queries.copy()
            vectors[3, 4] = bad
            np.save(self.dir / 'bad.npy', vectors)
            self.assertIn('row 3', self.error('cbir-query', 'x.cbir', '--vectors', 'bad.npy', '-o', 'r.tsv', expect=5))
            self.assertFalse((self.dir / 'r.tsv').exists())

    def test_any_damage_is_seen(self):
        sound = (self.dir / 'x.cbir').read_bytes()
        for at in range(0, len(sound), len(sound) // 40):
            (self.dir / 'd.cbir').write_bytes(sound[:at] + bytes([sound[at] ^ 16]) + sound[at + 1:])
            self.error('cbir-query', 'd.cbir', '--row', 1, expect=5)
        (self.dir / 'd.cbir').write_bytes(sound[:-100])
        self.error('cbir-query', 'd.cbir', '--row', 1, '--check', expect=5)

    def test_only_some_rows_are_found(self):
        ids, _ = expected(self.rows, self.queries, 500)
        np.save(self.dir / 'l_Embeddings.npy', self.rows)
        np.save(self.dir / 'l_Categories.npy', np.array(['odd' if i % 2 else 'even' for i in range(500)]))
        for kind in ('flat', 'ivf', 'hnsw', 'lsh'):
            self.out('cbir-index', 'build', 'l_Embeddings.npy', '-o', 'l.cbir', '--type', kind, '--force')
            found = [line.split('\t') for line in self.out('cbir-query', 'l.cbir', '--vectors', 'q.npy', '-k', 3, '--where-label', 'odd',
                                                           '--path-glob', '1*', '--path-glob', '2*').splitlines()]
            wanted = [[i for i in order if i % 2 and str(i)[0] in '12'][:3] for order in ids]
            self.assertEqual([int(line[3]) for line in found], sum(wanted, []), kind)
        done = self.run_tool('cbir-query', 'l.cbir', '--row', 1, '--where-label', 'none')
        self.assertEqual(done.stdout, b'')
        self.assertIn(b'no row has such a label', done.stderr)

    def test_how_far_to_look(self):
        for kind, flag in (('ivf', '--probe'), ('ivf', '--candidates'), ('hnsw', '--ef'), ('lsh', '--candidates')):
            with self.subTest(kind):
                self.out('cbir-index', 'build', 'x.npy', '-o', 'y.cbir', '--type', kind, '--force')
                exact = self.query('--vectors', 'q.npy')
                self.assertEqual(self.out('cbir-query', 'y.cbir', '--vectors', 'q.npy', '--exact'), exact)
                self.assertGreater(len(set(self.out('cbir-query', 'y.cbir', '--vectors', 'q.npy', flag, 400).splitlines()) &
                                       set(exact.splitlines())), 320)
                self.assertIn('no effect', self.error('cbir-query', 'x.cbir', '--row', 1, flag, 5, expect=2))
                self.error('cbir-query', 'y.cbir', '--row', 1, flag, 5, '--exact', expect=2)

    def serve(self, *lines, args=(), expect=0):
        stdin = ''.join(f'{line}\n' for line in lines).encode()
        return self.run_tool('cbir-query', 'x.cbir', '--serve-stdin', *args, stdin=stdin, expect=expect)

    def test_served_answers_are_those_of_the_command_line(self):
        vector = json.dumps({'vector': self.queries[3].tolist(), 'k': 4, 'id': '3'})
        answers = self.serve('{"row": 5}', vector, '{"path": "7", "k": 2}').stdout.decode().split('\n\n')
        self.assertEqual(answers[0] + '\n', self.query('--row', 5))
        asked = self.query('--vectors', 'q.npy', '-k', 4).splitlines()
        self.assertEqual(answers[1].splitlines(), [line for line in asked if line.startswith('3\t')])
        self.assertEqual(answers[2] + '\n', self.query('--path', 7, '-k', 2))
        self.assertEqual(answers[3:], [''])

    def test_an_answer_comes_before_the_next_request(self):
        server = subprocess.Popen([LIGHT, 'x.cbir', '--serve-stdin', '-k', '1'], cwd=self.dir, text=True, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        for row in (4, 2, 9):
            server.stdin.write(f'{{"row": {row}}}\n')
            server.stdin.flush()
            self.assertEqual(server.stdout.readline(), f'{row}\t1\t1.000000\t{row}\n')
            self.assertEqual(server.stdout.readline(), '\n')
        server.communicate()
        self.assertEqual(server.returncode, 0)

    def test_a_bad_request_leaves_the_others(self):
        bad = ['', '{', '{}', '{"row": -1}', '{"row": 5000}', '{"path": 3}', '{"vector": [1]}', '{"row": 1, "path": "1"}',
               '{"row": 1, "k": 0}', '{"rows": 1}', '{"vector": "1"}', json.dumps({'vector': [0] * 33}), 'nowhere.jpg',
               '[' * 100_000, '{"a":' * 100_000]
        done = self.serve(*bad, '{"row": 6, "k": 1}', args=['--format', 'jsonl'], expect=3)
        answers = [json.loads(line) for line in done.stdout.decode().splitlines() if line]
        self.assertEqual([answer['query'] for answer in answers], bad + ['6'])
        self.assertTrue(all('error' in answer for answer in answers[:-1]))
        self.assertEqual(answers[-1]['id'], 6)
        self.assertIn('15 of 16 requests skipped', done.stderr.decode())
        self.assertEqual(self.serve('{', args=['-0'], expect=3).stdout, b'\0')

    def test_serving_goes_with_no_other_request(self):
        for args in (['a.jpg'], ['--row', '1'], ['--text', 'x'], ['--format', 'html', '-o', 'p.html']):
            self.run_tool('cbir-query', 'x.cbir', '--serve-stdin', *args, expect=2)

    def test_pictures_need_an_encoder(self):
        Image.new('RGB', (9, 9)).save(self.dir / 'a.png')
        self.assertIn('--model', self.error('cbir-query', 'x.cbir', 'a.png', expect=6))

    def test_vectors_load_neither_networks_nor_codecs(self):
        if not shutil.which('strace'):
            self.skipTest('strace is not here')
        subprocess.run(['strace', '-f', '-e', 'trace=openat', '-o', 'trace', LIGHT, 'x.cbir', '--vectors', 'q.npy'],
                       cwd=self.dir, stdout=subprocess.DEVNULL, check=True,
                       env={**os.environ, 'ASAN_OPTIONS': 'detect_leaks=0'})  # which cannot work under strace
        opened = (self.dir / 'trace').read_text()
        self.assertIn('libcbir.so', opened)
        for name in ('torch', 'opencv', 'libcbir_nets', 'libcbir_codecs'):
            self.assertNotIn(name, opened)


COLOURS = {'red': (230, 20, 20), 'green': (20, 170, 40), 'blue': (30, 40, 230), 'yellow': (240, 220, 20)}


class Page(ToolTest):
    """The page as Chromium shows it. Its pictures are of one colour each, so that a screenshot tells which are there."""

    def setUp(self):
        super().setUp()
        (self.dir / 'pictures').mkdir()  # named by the rows' numbers, which are the paths of a bare .npy
        for row, colour in enumerate(COLOURS.values()):
            Image.new('RGB', (300, 300), colour).save(self.dir / f'pictures/{row}', format='JPEG', quality=95)
        np.save(self.dir / 's_Embeddings.npy', np.eye(4, 5, dtype=np.float32) + np.float32(.2))
        np.save(self.dir / 's_Categories.npy', np.array(['warm', 'cold', 'cold', 'warm']))
        self.out('cbir-index', 'build', 's_Embeddings.npy', '-o', 's.cbir')

    def shoot(self, page, *extra):
        chromium = shutil.which('chromium')
        if not chromium:
            self.skipTest('chromium is not here')
        subprocess.run([chromium, '--headless', '--no-sandbox', '--disable-gpu', '--no-first-run',
                        '--disable-background-networking', '--disable-component-update', '--disable-sync',
                        f'--user-data-dir={self.dir}/chromium', f'--screenshot={self.dir}/page.png',
                        '--window-size=1280,1400', *extra, f'file://{self.dir}/{page}'],
                       capture_output=True, timeout=120, check=True)
        return np.asarray(Image.open(self.dir / 'page.png').convert('RGB')).astype(int)

    def areas(self, picture):
        """How many pixels have each colour, in thumbnails of 170 x 170 or more."""
        return {name: int((np.abs(picture - colour).max(axis=2) < 12).sum()) / 170 ** 2 for name, colour in COLOURS.items()}

    def test_every_picture_is_shown_wherever_it_ranks(self):
        self.out('cbir-query', 's.cbir', '--row', 0, '--row', 1, '-k', 4, '--format', 'html', '--root', 'pictures',
                 '-o', 'page.html')
        page = (self.dir / 'page.html').read_text()
        self.assertEqual(page.count('data:image/jpeg'), 4)  # inlined once each
        shutil.rmtree(self.dir / 'pictures')  # the page holds everything itself
        areas = self.areas(self.shoot('page.html'))
        for name in ('red', 'green'):  # asks once, found twice
            self.assertGreater(areas[name], 3)
        for name in ('blue', 'yellow'):  # found twice
            self.assertGreater(areas[name], 1.5)

    def test_light_and_dark(self):
        self.out('cbir-query', 's.cbir', '--row', 0, '--format', 'html', '--root', 'pictures', '-o', 'page.html')
        self.assertGreater(self.shoot('page.html', '--blink-settings=preferredColorScheme=1')[5, 5].min(), 200)
        self.assertLess(self.shoot('page.html', '--blink-settings=preferredColorScheme=0')[5, 5].max(), 60)

    def test_no_picture_outside_of_root_is_shown(self):
        (self.dir / 'pictures/below').mkdir()
        paths = ['0', 'below/../1', '../secret.jpg', 'below/../../secret.jpg']
        Image.new('RGB', (30, 30), (255, 0, 255)).save(self.dir / 'secret.jpg')
        np.save(self.dir / 'e.npy', np.eye(4, dtype=np.float32))
        lines = ''.join(json.dumps({'path': path}) + '\n' for path in paths)
        (self.dir / 'e.rows.jsonl').write_text(lines)
        (self.dir / 'e.json').write_text(json.dumps({
            'format': 'cbir embedding set', 'version': 1, 'rows': 4, 'dim': 4, 'dtype': 'float32', 'metric': 'cosine',
            'normalization': 'l2', 'npy_xxh3': xxh3((self.dir / 'e.npy').read_bytes()), 'rows_xxh3': xxh3(lines.encode())}))
        self.out('cbir-index', 'build', 'e', '-o', 'e.cbir')
        page = self.run_tool('cbir-query', 'e.cbir', '--row', 0, '--format', 'html', '--root', 'pictures').stdout.decode()
        self.assertEqual(page.count('data:image/jpeg'), 2)
        self.assertEqual(page.count('<span>leads out of the folder that --root names</span>'), 2)
        # Nor by way of a symbolic link; the root may be one.
        (self.dir / 'pictures/1').unlink()
        (self.dir / 'pictures/1').symlink_to('../secret.jpg')
        (self.dir / 'link').symlink_to('pictures')
        for root in ('pictures', 'pictures/', 'link', './pictures/../link/'):
            page = self.run_tool('cbir-query', 'e.cbir', '--row', 0, '--format', 'html', '--root', root).stdout.decode()
            self.assertEqual(page.count('data:image/jpeg'), 1)
            self.assertEqual(page.count('<span>leads out of the folder that --root names</span>'), 3)

    def test_page_is_static_and_escaped(self):
        done = self.run_tool('cbir-query', 's.cbir', '--row', 0, '--format', 'html', '--root', '/nowhere')
        self.assertIn(b'--root', done.stderr)
        page = done.stdout.decode()
        self.assertEqual(page.count('class="unreadable"'), 5)  # who asks, and four results
        self.assertNotIn('http', page.replace('http-equiv', ''))
        self.assertIn('2 of 4 share its label, <b>warm</b>', page)


@unittest.skipUnless(WEIGHTS.exists() and NETS.exists(), f'weights ({WEIGHTS}) or the networks plug-in are not here')
class PictureQueries(ToolTest):
    def setUp(self):
        super().setUp()
        self.env = {'XDG_CACHE_HOME': str(self.dir / 'cache'), 'CBIR_MODELS': str(MODELS)}
        random = np.random.default_rng(3)
        for name, colour in COLOURS.items():
            (self.dir / 'photos' / name).mkdir(parents=True)
            for i in range(3):
                noise = random.integers(-20, 20, (40, 50, 3)) + colour
                picture = Image.fromarray(noise.clip(0, 255).astype(np.uint8)).resize((300, 240))
                picture.save(self.dir / 'photos' / name / f'{i}.jpg')
        shutil.copy(self.dir / 'photos/red/1.jpg', self.dir / 'query.jpg')
        (self.dir / 'bad.jpg').write_bytes(b'no picture')

    def query(self, *args, **kw):
        return self.out('cbir-query', *args, env=self.env, **kw)

    def index(self):
        self.out('cbir-extract', 'photos', '-o', 's', env=self.env)
        self.out('cbir-index', 'build', 's', '-o', 's.cbir')

    def test_a_picture_finds_itself(self):
        self.index()
        lines = self.query('s.cbir', 'query.jpg', '-k', 3).splitlines()
        self.assertEqual(lines[0], 'query.jpg\t1\t1.000000\tphotos/red/1.jpg')
        self.assertTrue(all('/red/' in line for line in lines))

    def test_lists_keep_their_order(self):
        self.index()
        names = ['photos/blue/0.jpg', 'query.jpg', 'photos/green/2.jpg']
        text = self.query('s.cbir', '--files-from', '-', '-0', '-k', 1, stdin='\0'.join(names).encode() + b'\0')
        self.assertEqual([record.split('\t')[0] for record in text.rstrip('\0').split('\0')], names)

    def test_failures_are_skipped_and_show(self):
        self.index()
        done = self.run_tool('cbir-query', 's.cbir', 'bad.jpg', 'query.jpg', '-k', 1, env=self.env, expect=3)
        self.assertEqual(done.stdout, b'query.jpg\t1\t1.000000\tphotos/red/1.jpg\n')
        self.assertIn(b'bad.jpg: skipped: ', done.stderr)
        done = self.run_tool('cbir-query', 's.cbir', 'bad.jpg', 'none.jpg', '-o', 'r.tsv', env=self.env, expect=4)
        self.assertFalse((self.dir / 'r.tsv').exists())

    def test_damaged_weights_are_called_so(self):
        self.index()
        models = self.dir / 'models'
        models.mkdir()
        weights = bytearray(WEIGHTS.read_bytes())
        weights[len(weights) // 2] ^= 1
        (models / WEIGHTS.name).write_bytes(weights)
        message = self.error('cbir-query', 's.cbir', 'query.jpg', env={**self.env, 'CBIR_MODELS': str(models)}, expect=5)
        self.assertIn('SHA-256', message)

    def test_sets_of_another_encoder_are_refused(self):
        self.index()
        manifest = json.loads((self.dir / 's.json').read_text())
        for name in ('s.npy', 's.rows.jsonl', 's.failed.jsonl'):
            shutil.copy(self.dir / name, self.dir / name.replace('s.', 'o.', 1))
        manifest['fingerprint'] = 'ab' * 32
        manifest.pop('xxh3', None)
        (self.dir / 'o.json').write_text(json.dumps(manifest))
        self.assertIn('--allow-mismatch', self.error('cbir-query', 's.cbir', '--vectors', 'o.npy', expect=6))
        self.query('s.cbir', '--vectors', 'o.npy', '--allow-mismatch')
        self.query('s.cbir', '--vectors', 's.npy')
        self.out('cbir-index', 'build', 'o', '-o', 'o.cbir')
        message = self.error('cbir-query', 'o.cbir', 'query.jpg', env=self.env, expect=6)
        self.assertIn('abababababab', message)

    def test_folder(self):
        first = self.run_tool('cbir-query', 'photos', 'query.jpg', '-k', 2, '--verbose', env=self.env)
        self.assertTrue(first.stdout.startswith(b'query.jpg\t1\t1.000000\tphotos/red/1.jpg\n'))
        self.assertIn(b'12 pictures extracted, 0 taken over', first.stderr)
        self.assertEqual(self.query('photos', 'query.jpg', '-k', 2).encode(), first.stdout)

        shutil.copy(self.dir / 'query.jpg', self.dir / 'photos/copy.jpg')
        second = self.run_tool('cbir-query', './photos/', 'query.jpg', '-k', 2, '--verbose', env=self.env)
        self.assertIn(b'1 picture extracted, 12 taken over', second.stderr)
        self.assertEqual(sorted(line.split(b'\t')[3] for line in second.stdout.splitlines()),
                         [b'./photos/copy.jpg', b'./photos/red/1.jpg'])

    def test_folder_with_a_bad_picture(self):
        shutil.copy(self.dir / 'bad.jpg', self.dir / 'photos/bad.jpg')
        for _ in range(2):
            done = self.run_tool('cbir-query', 'photos', 'query.jpg', env=self.env, expect=3)
            self.assertIn(b'1 picture could not be read; listed in', done.stderr)
            self.assertEqual(done.stdout.count(b'\n'), 10)


if __name__ == '__main__':
    main()
