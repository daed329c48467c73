"""cbir-index as a user runs it."""
import gzip
import hashlib
import json
import os
import shutil
import struct
import subprocess

import numpy as np

from cbirtest import BIN, SOURCE, ToolTest, main


def vectors(rows, dim, seed=1):
    return np.random.default_rng(seed).standard_normal((rows, dim)).astype(np.float32)


class Build(ToolTest):
    PARTS = ('codes', 'description', 'factors', 'head', 'ids', 'label_hashes', 'path_hashes', 'row_offsets', 'rows', 'table', 'vectors')

    def build(self, *args, **kw):
        self.assertIn('recall@10\t1.000000\n', self.out('cbir-index', 'build', *args, **kw))

    def info(self, name='x.cbir'):
        return json.loads(self.out('cbir-index', 'info', name, '--json'))

    def test_bare_matrix(self):
        np.save(self.dir / 'a.npy', vectors(3, 4))
        self.build('a.npy', '-o', 'x.cbir')
        self.assertEqual(self.out('cbir-index', 'info', 'x.cbir'),
                         'type\tflat\nmetric\tcosine\nrows\t3\nsegments\t1\ndim\t4\nnormalization\tl2\n'
                         'format\t1.1\ngeneration\t2\nbytes\t45056\n'
                         + ''.join(f'parts.{part}\t4096\n' for part in self.PARTS))
        self.assertEqual(self.out('cbir-index', 'verify', 'x.cbir'),
                         'x.cbir: sound, 3 rows of dimension 4, generation 2\n')

    def test_info_as_json(self):
        np.save(self.dir / 'a.npy', vectors(3, 4))
        self.build('a.npy', '-o', 'x.cbir', '--metric', 'l2')
        self.assertEqual(self.info(), {'type': 'flat', 'metric': 'l2', 'rows': 3, 'segments': 1, 'dim': 4,
                                       'normalization': 'none', 'format': '1.1', 'generation': 2, 'bytes': 45056,
                                       'parts': {part: 4096 for part in self.PARTS}})

    def test_pair_as_numpy_writes_it(self):
        np.save(self.dir / 'photos_Embeddings.npy', vectors(3, 4))
        np.save(self.dir / 'photos_Categories.npy', np.array(['cat', 'dog', 'Ärger']))
        self.build('photos_Embeddings.npy', '-o', 'x.cbir')
        data = (self.dir / 'x.cbir').read_bytes()
        self.assertIn('"label":"Ärger"'.encode(), data)

    def test_half_precision(self):
        np.save(self.dir / 'a.npy', vectors(3, 4).astype(np.float16))
        self.build('a.npy', '-o', 'x.cbir')
        self.assertEqual(self.info()['rows'], 3)

    def test_several_sets_at_once(self):
        np.save(self.dir / 'a.npy', vectors(3, 4))
        np.save(self.dir / 'b.npy', vectors(5, 4, 2))
        self.build('a.npy', 'b.npy', '-o', 'x.cbir')
        self.assertEqual(self.info()['rows'], 8)

    def test_same_bytes_with_any_number_of_threads(self):
        np.save(self.dir / 'a.npy', vectors(5000, 64))
        digests = set()
        for threads in (1, 2, 4, 1):
            self.build('a.npy', '-o', 'x.cbir', '--force', '--threads', threads)
            digests.add(hashlib.sha256((self.dir / 'x.cbir').read_bytes()).hexdigest())
        self.assertEqual(len(digests), 1)

    def test_what_was_done_is_said(self):
        np.save(self.dir / 'a.npy', vectors(3, 4))
        self.assertRegex(self.out('cbir-index', 'build', 'a.npy', '-o', 'x.cbir'),
                         r'^type\tflat\nrows\t3\nbytes\t45056\nseconds\t\d+\.\d\d\nrecall@10\t1\.000000\n')
        self.assertEqual(self.out('cbir-index', 'build', 'a.npy', '-o', 'x.cbir', '--force', '--quiet'), '')

    def test_name_that_is_not_utf8(self):
        name = os.fsencode(self.dir) + b'/\xff\n.npy'
        with open(name, 'wb') as file:
            np.save(file, vectors(3, 4))
        self.build(name, '-o', 'x.cbir')
        self.assertEqual(self.info()['rows'], 3)


class Refusals(ToolTest):
    def refuse(self, array, expect, *words, args=()):
        np.save(self.dir / 'a.npy', array, allow_pickle=True)
        message = self.error('cbir-index', 'build', 'a.npy', '-o', 'x.cbir', *args, expect=expect)
        for word in ('a.npy',) + words:
            self.assertIn(word, message)
        self.assertEqual([p.name for p in self.dir.glob('*.cbir')], [])

    def test_not_a_number(self):
        array = vectors(3, 4)
        array[1, 2] = np.nan
        self.refuse(array, 5, 'row 1')

    def test_infinity(self):
        array = vectors(3, 4)
        array[2, 0] = -np.inf
        self.refuse(array, 5, 'row 2')

    def test_zero_row_under_cosine(self):
        array = vectors(3, 4)
        array[1] = 0
        self.refuse(array, 6, 'row 1')
        self.out('cbir-index', 'build', 'a.npy', '-o', 'x.cbir', '--metric', 'l2')

    def test_fortran_order(self):
        self.refuse(np.asfortranarray(vectors(3, 4)), 6, 'Fortran')

    def test_wrong_types(self):
        self.refuse(vectors(3, 4).astype(np.float64), 6, '<f8')
        self.refuse(np.zeros((3, 4), np.int32), 6, '<i4')
        self.refuse(vectors(3, 4).astype('>f4'), 6, '>f4')
        self.refuse(np.array([{}, {}], dtype=object), 5)

    def test_one_dimension(self):
        self.refuse(vectors(3, 4).ravel(), 6)

    def test_no_rows(self):
        self.refuse(vectors(3, 4)[:0], 4)

    def test_fewer_categories_than_rows(self):
        np.save(self.dir / 'p_Embeddings.npy', vectors(3, 4))
        np.save(self.dir / 'p_Categories.npy', np.array(['cat', 'dog']))
        message = self.error('cbir-index', 'build', 'p_Embeddings.npy', '-o', 'x.cbir', expect=6)
        self.assertIn('p_Categories.npy', message)

    def test_dimensions_that_differ(self):
        np.save(self.dir / 'a.npy', vectors(3, 4))
        np.save(self.dir / 'b.npy', vectors(3, 5))
        message = self.error('cbir-index', 'build', 'a.npy', 'b.npy', '-o', 'x.cbir', expect=6)
        self.assertIn('b.npy', message)

    def test_missing_set(self):
        self.assertIn('none', self.error('cbir-index', 'build', 'none', '-o', 'x.cbir', expect=4))

    def test_existing_output(self):
        np.save(self.dir / 'a.npy', vectors(3, 4))
        (self.dir / 'x.cbir').write_text('mine')
        self.assertIn('--force', self.error('cbir-index', 'build', 'a.npy', '-o', 'x.cbir', expect=7))
        self.assertEqual((self.dir / 'x.cbir').read_text(), 'mine')

    def test_own_input_is_not_replaced(self):
        np.save(self.dir / 'a.npy', vectors(3, 4))
        before = (self.dir / 'a.npy').read_bytes()
        self.assertIn('is an input', self.error('cbir-index', 'build', 'a', '-o', './a.npy', '--force', expect=2))
        self.assertEqual((self.dir / 'a.npy').read_bytes(), before)

    def test_usage(self):
        np.save(self.dir / 'a.npy', vectors(3, 4))
        for args in ((), ('build',), ('build', 'a.npy'), ('info',), ('build', 'a.npy', '-o', '-'),
                     ('build', 'a.npy', '-o', 'x.cbir', '--metric', 'manhattan'),
                     ('build', 'a.npy', '-o', 'x.cbir', '--type', 'round'), ('frobnicate',)):
            self.error('cbir-index', *args, expect=2)
        self.assertEqual([p.name for p in self.dir.glob('*.cbir')], [])

    def test_full_disk(self):
        np.save(self.dir / 'a.npy', vectors(3000, 64))  # 768 kB; the program may write 100 kB
        limited = subprocess.run(['sh', '-c', 'ulimit -f 200; exec "$0" build a.npy -o x.cbir', BIN / 'cbir-index'],
                                 cwd=self.dir, capture_output=True)
        self.assertEqual(limited.returncode, 7, limited.stderr)
        self.assertIn(b'x.cbir', limited.stderr)
        self.assertEqual([p.name for p in self.dir.iterdir()], ['a.npy'])


class Damage(ToolTest):
    def setUp(self):
        super().setUp()
        np.save(self.dir / 'a.npy', vectors(300, 16))
        self.out('cbir-index', 'build', 'a.npy', '-o', 'x.cbir')
        self.data = (self.dir / 'x.cbir').read_bytes()

    def write(self, data):
        (self.dir / 'y.cbir').write_bytes(data)

    def flip(self, byte):
        data = bytearray(self.data)
        data[byte] ^= 0x10
        self.write(bytes(data))

    def test_flipped_bits(self):
        for byte in list(range(0, 64)) + list(range(64, len(self.data), 997)):
            self.flip(byte)
            self.assertIn('y.cbir', self.error('cbir-index', 'info', 'y.cbir', expect=5))

    def test_truncation(self):
        for length in (0, 1, 7, 8, 63, 64, 4095, 4096, len(self.data) // 2, len(self.data) - 1):
            self.write(self.data[:length])
            self.error('cbir-index', 'verify', 'y.cbir', expect=5)

    def test_transfer_as_text(self):
        self.write(self.data.replace(b'\r\n', b'\n'))
        self.assertIn('text', self.error('cbir-index', 'info', 'y.cbir', expect=5))

    def test_another_kind_of_file(self):
        self.write(b'\x89PNG\r\n\x1a\n' + bytes(5000))
        self.assertIn('not an index', self.error('cbir-index', 'info', 'y.cbir', expect=6))

    def test_folder_and_missing_file(self):
        self.error('cbir-index', 'info', '.', expect=4)
        self.error('cbir-index', 'info', 'none.cbir', expect=4)

    def test_leftovers_of_an_append(self):
        self.write(self.data + b'x' * 100)
        self.assertIn('leftover\t100\n', self.out('cbir-index', 'info', 'y.cbir'))
        self.assertIn('100 bytes after its end', self.out('cbir-index', 'verify', 'y.cbir'))

    def test_recover(self):
        self.flip(600)  # in the first root record
        self.assertIn('recover', self.error('cbir-index', 'info', 'y.cbir', expect=5))
        said = self.out('cbir-index', 'recover', 'y.cbir', '-o', 'z.cbir')
        self.assertIn('kept generation 1 with 300 rows; lost: root record 1 of 2', said)
        self.assertEqual((self.dir / 'z.cbir').read_bytes(), self.data)
        self.error('cbir-index', 'recover', 'y.cbir', '-o', 'z.cbir', expect=7)
        self.flip(8192)
        self.error('cbir-index', 'recover', 'y.cbir', '-o', 'w.cbir', expect=5)


class Changes(ToolTest):
    """add, remove, compact, merge and export as a user runs them."""

    def setUp(self):
        super().setUp()
        np.save(self.dir / 'a_Embeddings.npy', vectors(300, 16))
        np.save(self.dir / 'a_Categories.npy', np.array(['cat', 'dog', ''] * 100))
        np.save(self.dir / 'b.npy', vectors(40, 16, 2))
        self.out('cbir-index', 'build', 'a_Embeddings.npy', '-o', 'x.cbir')

    def info(self, name='x.cbir'):
        return json.loads(self.out('cbir-index', 'info', name, '--json'))

    def test_add(self):
        message = self.error('cbir-index', 'add', 'x.cbir', 'b.npy', expect=6)
        self.assertIn('0 is in it already (row 0)', message)
        self.assertRegex(self.out('cbir-index', 'add', 'x.cbir', 'b.npy', '--paths-from-ids'),
                         r'^x\.cbir: added 40 rows; 340 rows, [\d.]+ kB\n$')
        self.assertRegex(self.out('cbir-index', 'add', 'x.cbir', 'b.npy', '--replace'),
                         r'^x\.cbir: added 40 rows; removed 40 rows; 340 rows, [\d.]+ kB\n$')
        info = self.info()
        self.assertEqual((info['rows'], info['removed'], info['segments'], info['generation']), (340, 40, 3, 4))
        self.assertEqual(sum(info['parts'].values()), info['bytes'])
        self.assertIn('unused', info['parts'])

    def test_add_what_does_not_fit(self):
        np.save(self.dir / 'wide.npy', vectors(3, 17))
        self.assertIn('17', self.error('cbir-index', 'add', 'x.cbir', 'wide.npy', expect=6))
        self.error('cbir-index', 'add', 'none.cbir', 'b.npy', expect=4)
        self.error('cbir-index', 'add', 'x.cbir', 'none.npy', expect=4)
        array = vectors(3, 16)
        array[1, 2] = np.nan
        np.save(self.dir / 'nan.npy', array)
        before = (self.dir / 'x.cbir').read_bytes()
        self.assertIn('row 1', self.error('cbir-index', 'add', 'x.cbir', 'nan.npy', '--paths-from-ids', expect=5))
        self.assertEqual((self.dir / 'x.cbir').read_bytes(), before)

    def test_remove(self):
        self.out('cbir-index', 'remove', 'x.cbir', '--where-label', 'cat', '--path', '2', '--path', '5')
        self.assertEqual(self.info()['rows'], 198)
        self.out('cbir-index', 'remove', 'x.cbir', '--files-from', '-', stdin=b'8\n11\n')
        self.out('cbir-index', 'remove', 'x.cbir', '--files-from', '-', '-0', stdin=b'14\x0017\0')
        self.assertEqual(self.info()['rows'], 194)
        self.assertIn('8', self.error('cbir-index', 'remove', 'x.cbir', '--path', '4', '--path', '8', expect=4))
        self.assertIn('bird', self.error('cbir-index', 'remove', 'x.cbir', '--where-label', 'bird', expect=4))
        self.error('cbir-index', 'remove', 'x.cbir', '--files-from', '-', expect=4)
        self.error('cbir-index', 'remove', 'x.cbir', expect=2)
        self.error('cbir-index', 'remove', 'x.cbir', '--path', '4', '-0', expect=2)
        self.assertEqual(self.info()['rows'], 194)
        self.assertEqual(self.out('cbir-query', 'x.cbir', '--row', 4, '-k', 1), '4\t1\t1.000000\t4\n')
        self.error('cbir-query', 'x.cbir', '--row', 8, expect=4)

    def test_nothing_left(self):
        self.out('cbir-index', 'remove', 'x.cbir', '--files-from', '-',
                 stdin=''.join(f'{i}\n' for i in range(300)).encode())
        self.assertEqual(self.info()['rows'], 0)
        np.save(self.dir / 'q.npy', vectors(2, 16, 3))
        done = self.run_tool('cbir-query', 'x.cbir', '--vectors', 'q.npy')
        self.assertEqual(done.stdout, b'')
        self.assertIn(b'no row is left', done.stderr)
        self.assertIn('no row is left', self.error('cbir-index', 'compact', 'x.cbir', expect=4))
        self.out('cbir-index', 'add', 'x.cbir', 'b.npy')
        self.assertEqual(self.out('cbir-query', 'x.cbir', '--row', 300, '-k', 1), '0\t1\t1.000000\t0\n')

    def test_compact(self):
        self.out('cbir-index', 'remove', 'x.cbir', '--where-label', 'dog')
        answers = self.out('cbir-query', 'x.cbir', '--vectors', 'b.npy')
        self.assertEqual(self.out('cbir-index', 'compact', 'x.cbir', '-o', 'y.cbir'), 'y.cbir: 200 rows, 61.4 kB\n')
        self.error('cbir-index', 'compact', 'x.cbir', '-o', 'y.cbir', expect=7)
        self.error('cbir-index', 'compact', 'x.cbir', '-o', './x.cbir', '--force', expect=2)
        self.out('cbir-index', 'compact', 'x.cbir')
        self.assertEqual((self.dir / 'x.cbir').read_bytes(), (self.dir / 'y.cbir').read_bytes())
        self.assertEqual(self.out('cbir-query', 'x.cbir', '--vectors', 'b.npy'), answers)
        self.assertEqual(self.out('cbir-query', 'x.cbir', '--row', 299, '-k', 1), '299\t1\t1.000000\t299\n')

    def test_merge(self):
        self.out('cbir-index', 'build', 'b.npy', '-o', 'y.cbir')
        self.assertIn('340 rows', self.out('cbir-index', 'merge', 'x.cbir', 'y.cbir', '-o', 'z.cbir'))
        self.out('cbir-index', 'verify', 'z.cbir')
        self.error('cbir-index', 'merge', 'x.cbir', 'y.cbir', '-o', 'z.cbir', expect=7)
        self.out('cbir-index', 'build', 'b.npy', '-o', 'l2.cbir', '--metric', 'l2')
        self.assertIn('l2', self.error('cbir-index', 'merge', 'x.cbir', 'l2.cbir', '-o', 'w.cbir', expect=6))

    def test_export(self):
        self.out('cbir-index', 'remove', 'x.cbir', '--where-label', 'dog')
        self.assertEqual(self.out('cbir-index', 'export', 'x.cbir', '-o', 'e'), 'e: 200 rows\n')
        self.assertEqual(np.load(self.dir / 'e.npy').shape, (200, 16))
        self.assertEqual(json.loads((self.dir / 'e.rows.jsonl').read_text().splitlines()[1])['path'], '2')
        self.out('cbir-index', 'build', 'e', '-o', 'y.cbir')
        for query in ('b.npy', 'a_Embeddings.npy'):
            answers = [self.run_tool('cbir-query', name, '--vectors', query, '--format', 'jsonl').stdout
                       for name in ('x.cbir', 'y.cbir')]
            self.assertEqual(*[[(json.loads(line)['score'], json.loads(line)['path']) for line in answer.splitlines()]
                               for answer in answers])
        self.error('cbir-index', 'export', 'x.cbir', '-o', 'e', expect=7)

    def test_read_only(self):
        if os.geteuid() == 0:
            self.skipTest('root may write every file')
        (self.dir / 'x.cbir').chmod(0o444)
        self.error('cbir-index', 'add', 'x.cbir', 'b.npy', '--replace', expect=7)


class Types(ToolTest):
    """Indexes that do not compare every row."""
    ROWS, DIM = 6000, 24

    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(3)
        centres = rng.standard_normal((60, self.DIM))
        self.rows = (centres[rng.integers(0, 60, self.ROWS)] + .6 * rng.standard_normal((self.ROWS, self.DIM))).astype(np.float32)
        np.save(self.dir / 'x.npy', self.rows)

    def build(self, kind, *options, name='x.cbir'):
        """Builds, and returns what is said of it."""
        text = self.out('cbir-index', 'build', 'x.npy', '-o', name, '--type', kind, '--force', *options)
        return dict(line.split('\t') for line in text.splitlines())

    def found(self, name, *options):
        lines = self.out('cbir-query', name, '--vectors', 'x.npy', *options).splitlines()
        return {tuple(line.split('\t')[::3]) for line in lines}

    def test_every_type_finds_what_it_says(self):
        for kind in ('flat', 'ivf', 'hnsw', 'lsh'):
            with self.subTest(kind):
                said = self.build(kind)
                self.assertEqual((said['type'], said['rows']), (kind, str(self.ROWS)))
                self.assertEqual(int(said['bytes']), (self.dir / 'x.cbir').stat().st_size)
                self.assertIn('sound', self.out('cbir-index', 'verify', 'x.cbir'))
                exact = self.found('x.cbir', '--exact')
                recall = len(self.found('x.cbir') & exact) / len(exact)
                self.assertGreater(recall, .93)
                self.assertGreaterEqual(float(said['recall@10']), .95)
                if kind == 'flat':
                    self.assertEqual((recall, said['recall@10.low']), (1, '1.000000'))

    def test_more_recall_is_had_by_looking_further(self):
        for kind, effort in (('hnsw', 'ef'), ('lsh', 'candidates')):
            little, much = (self.build(kind, '--target-recall', target) for target in ('.7', '.99'))
            self.assertLess(int(little[effort]), int(much[effort]))
            self.assertGreaterEqual(float(much['recall@10']), .99)
            self.assertIn(f'parameters.{effort}\t{much[effort]}\n', self.out('cbir-index', 'info', 'x.cbir'))

    def test_the_same_rows_give_the_same_bytes(self):
        for kind, options in (('flat', []), ('ivf', []), ('lsh', []), ('hnsw', ['--threads', '1'])):
            self.build(kind, *options)
            self.build(kind, *options, name='y.cbir')
            self.assertEqual((self.dir / 'x.cbir').read_bytes(), (self.dir / 'y.cbir').read_bytes(), kind)

    def test_auto_says_why(self):
        said = self.build('auto', '--target-recall', '.9')
        self.assertIn(said['type'], ('flat', 'ivf', 'hnsw', 'lsh'))
        for kind in ('flat', 'ivf', 'hnsw', 'lsh'):
            self.assertIn(f'{kind} ', said['reason'])
        self.assertIn(f"type\t{said['type']}\n", self.out('cbir-index', 'info', 'x.cbir'))

    def test_every_type_grows_and_shrinks(self):
        np.save(self.dir / 'new.npy', self.rows[:40] + np.float32(.01))
        for kind in ('flat', 'ivf', 'hnsw', 'lsh'):
            with self.subTest(kind):
                self.build(kind)
                self.out('cbir-index', 'add', 'x.cbir', 'new.npy', '--paths-from-ids')
                self.out('cbir-index', 'remove', 'x.cbir', '--path', 3, '--path', self.ROWS + 5)
                done = self.out('cbir-query', 'x.cbir', '--vectors', 'new.npy', '-k', 2).splitlines()
                nearest = {line.split('\t')[0]: line.split('\t')[3] for line in done if line.split('\t')[1] == '1'}
                self.assertGreaterEqual(sum(nearest[str(i)] == str(self.ROWS + i) for i in range(40)), 38)
                self.assertNotEqual(nearest['5'], str(self.ROWS + 5))
                self.out('cbir-index', 'compact', 'x.cbir')
                self.assertIn(f'sound, {self.ROWS + 38} rows', self.out('cbir-index', 'verify', 'x.cbir'))
                self.assertEqual(self.out('cbir-query', 'x.cbir', '--vectors', 'new.npy', '-k', 1, '--exact').count('\n'), 40)

    def test_options_of_other_types(self):
        for kind, flag in (('flat', '--seed'), ('flat', '--target-recall'), ('ivf', '--ef'), ('hnsw', '--probe'), ('lsh', '--lists'),
                           ('hnsw', '--bits'), ('auto', '--M')):
            message = self.error('cbir-index', 'build', 'x.npy', '-o', 'y.cbir', '--type', kind, flag, 64 if flag != '--target-recall' else .9,
                                 expect=2)
            self.assertIn(f'{flag} has no effect on type {kind}', message)
        self.error('cbir-index', 'build', 'x.npy', '-o', 'y.cbir', '--type', 'tree', expect=2)

    def test_memory_that_does_not_do_is_said_before_any_work(self):
        for kind in ('flat', 'ivf', 'hnsw', 'lsh', 'auto'):
            message = self.error('cbir-index', 'build', 'x.npy', '-o', 'y.cbir', '--type', kind, '--memory', '1M', expect=9)
            self.assertIn('--memory', message)
            self.assertFalse((self.dir / 'y.cbir').exists())
        self.build('ivf', '--memory', '1G')


class Format(ToolTest):
    """docs/formats.md, read with nothing but its tables; and files of earlier versions stay readable."""
    GROWN = SOURCE / 'tests/index/data/version-1.1-flat.cbir'  # see grow()
    GOLDEN = SOURCE / 'tests/index/data/version-1.0.cbir'  # five rows of three numbers, metric l2

    def sections(self, data):
        slot = max((512, 1024), key=lambda at: struct.unpack_from('<Q', data, at + 8))
        magic, _, end, table, length = struct.unpack_from('<8sQQQQ', data, slot)
        self.assertEqual((magic, end), (b'CBIRROOT', len(data)))
        found = {}
        for at in range(table, table + length, 64):
            segment, kind, _, _, offset, size = struct.unpack_from('<IIIIQQ', data, at)
            found[segment, kind] = data[offset:offset + size]
        return found

    def test_layout(self):
        data = self.GOLDEN.read_bytes()
        self.assertEqual(struct.unpack_from('<8sHHIQQ', data), (b'\x89CBIR\r\n\x1a', 1, 0, 0x01020304, 0, 0))
        found = self.sections(data)
        self.assertEqual(json.loads(found[0, 2]), {'type': 'flat', 'metric': 'l2', 'dim': 3, 'normalization': 'none',
                                                   'encoder': '', 'fingerprint': '', 'preset': ''})
        stored = np.frombuffer(found[1, 3], '<f4').reshape(5, 16)
        np.testing.assert_array_equal(stored[:, :3], (np.arange(15).reshape(5, 3) - 7) / 8)
        self.assertFalse(stored[:, 3:].any())
        np.testing.assert_array_equal(np.frombuffer(found[1, 4], '<u8'), range(5))
        offsets = np.frombuffer(found[1, 5], '<u8')
        lines = [found[1, 6][a:b] for a, b in zip(offsets[:-1], offsets[1:])]
        self.assertEqual([json.loads(line)['path'] for line in lines], list('01234'))
        self.assertEqual([json.loads(line)['label'] for line in lines], ['cat', 'dog', 'cat', 'bird', 'dog'])
        self.assertEqual(len(found[1, 7]), 5 * 8)

    def test_version_1_0_is_read(self):
        self.assertIn('sound, 5 rows of dimension 3', self.out('cbir-index', 'verify', self.GOLDEN))

    def test_version_1_0_does_not_grow_but_is_rewritten(self):
        shutil.copy(self.GOLDEN, self.dir / 'x.cbir')
        np.save(self.dir / 'a.npy', vectors(2, 3))
        for change in (('add', 'x.cbir', 'a.npy'), ('remove', 'x.cbir', '--path', '0')):
            self.assertIn('cbir-index compact x.cbir', self.error('cbir-index', *change, expect=6))
        self.out('cbir-index', 'compact', 'x.cbir')
        self.out('cbir-index', 'remove', 'x.cbir', '--where-label', 'dog')
        self.assertIn('sound, 3 rows of dimension 3', self.out('cbir-index', 'verify', 'x.cbir'))

    def grow(self):
        """Makes the index that version-1.1-flat.cbir is: built, grown, and shrunk by a row of each of its segments."""
        np.save(self.dir / 'v_Embeddings.npy', (np.arange(15, dtype=np.float32).reshape(5, 3) - 7) / 8)
        np.save(self.dir / 'v_Categories.npy', np.array(['cat', 'dog', 'cat', 'bird', 'dog']))
        np.save(self.dir / 'w.npy', np.eye(3, dtype=np.float32))
        self.out('cbir-index', 'build', 'v_Embeddings.npy', '--metric', 'l2', '-o', 'x.cbir')
        self.out('cbir-index', 'add', 'x.cbir', 'w.npy', '--paths-from-ids')
        self.out('cbir-index', 'remove', 'x.cbir', '--path', '1', '--path', '6')

    def test_version_1_1_is_read(self):
        self.assertIn('sound, 6 rows of dimension 3', self.out('cbir-index', 'verify', self.GROWN))
        self.grow()
        for index in (self.GROWN, 'x.cbir'):
            self.assertEqual(self.out('cbir-query', index, '--row', 5, '-k', 3, '--format', 'tsv'),
                             '5\t1\t0.000000\t5\n5\t2\t-0.953125\t3\n5\t3\t-1.281250\t2\n')

    def test_version_1_1_of_other_types_is_read(self):
        """300 rows of 4 numbers, or 4200 of 2 that a graph links; a row for each axis added; the second row of each removed."""
        for kind, rows, ranking in (('ivf', 302, '5 272 134'), ('lsh', 302, '5 272 134'), ('hnsw', 4200, '5 2947 500')):
            index = SOURCE / f'tests/index/data/version-1.1-{kind}.cbir'
            if not index.exists():  # the large one is compressed
                index = self.dir / index.name
                index.write_bytes(gzip.decompress((SOURCE / f'tests/index/data/{index.name}.gz').read_bytes()))
            self.assertIn(f'sound, {rows} rows', self.out('cbir-index', 'verify', index))
            for options in ([], ['--exact']):
                lines = self.out('cbir-query', index, '--row', 5, '-k', 3, *options).splitlines()
                self.assertEqual([line.split('\t')[3] for line in lines], ranking.split())

    def test_reader_in_the_documentation(self):
        """docs/read_index.py knows the format by docs/formats.md alone, and finds what cbir-query finds."""
        reader = SOURCE / 'docs/read_index.py'
        rng = np.random.default_rng(1)
        for metric in ('cosine', 'dot', 'l2'):
            for name, rows in (('a', 70), ('b', 30)):
                np.save(self.dir / f'{name}.npy', rng.standard_normal((rows, 20)).astype(np.float32))
            np.save(self.dir / 'q.npy', rng.standard_normal((5, 20)).astype(np.float32))
            self.out('cbir-index', 'build', 'a.npy', '-o', 'x.cbir', '--metric', metric, '--force')
            self.out('cbir-index', 'add', 'x.cbir', 'b.npy', '--paths-from-ids')
            self.out('cbir-index', 'remove', 'x.cbir', *(f'--path={row}' for row in range(0, 100, 7)))
            done = subprocess.run(['/usr/bin/python3', reader, 'x.cbir', 'q.npy', '4'], cwd=self.dir, text=True,
                                  capture_output=True)
            self.assertEqual(done.stderr, '')
            ours = [line.split('\t') for line in done.stdout.splitlines()]
            theirs = [line.split('\t') for line in
                      self.out('cbir-query', 'x.cbir', '--vectors', 'q.npy', '-k', 4).splitlines()]
            self.assertEqual([(q, rank, path) for q, rank, _, path in ours],
                             [(q, rank, path) for q, rank, _, path in theirs])
            np.testing.assert_allclose([float(line[2]) for line in ours], [float(line[2]) for line in theirs], atol=1e-5)
        self.assertLessEqual(len(reader.read_text().splitlines()), 60)


if __name__ == '__main__':
    main()
