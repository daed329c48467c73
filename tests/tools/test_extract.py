"""cbir-extract as a user runs it."""
import fcntl
import json
import os
import resource
import signal
import socket
import struct
import subprocess
import unittest
import zlib

import numpy as np
from PIL import Image

from cbirtest import BIN, MOMENTS, ToolTest, main, need

FILES = ('set.npy', 'set.rows.jsonl', 'set.json', 'set.failed.jsonl')


def picture(seed, width=80, height=60, mode='RGB'):
    """A picture of coarse coloured noise; each seed gives another."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.BICUBIC).convert(mode)


def huge_png(side):
    """A black PNG of side x side pixels, one bit each: some 100 KB at 30000."""
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    packer, row = zlib.compressobj(9), bytes(1 + (side + 7) // 8)
    body = b''.join(packer.compress(row) for _ in range(side)) + packer.flush()
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', side, side, 1, 0, 0, 0, 0)) +
            chunk(b'IDAT', body) + chunk(b'IEND', b''))


class Wrong(ToolTest):
    """Wrong use; needs no weights."""

    def test_usage(self):
        for args in ([], ['in'], ['-o', 'set'], ['-o', 'set', 'in', '--files-from', 'x'], ['-o', 'set', '-0', 'in'],
                     ['-o', 'set', '--dtype', 'int8', 'in'], ['-o', 'set', '--max-failures', 'some', 'in'],
                     ['-o', 'set', '--batch', 'x', 'in'], ['-o', 'set', '--precision', 'int8', 'in'],
                     ['-o', 'set', '--device', 'tpu', 'in'], ['-o', 'set', '--threads', '9999', 'in'],
                     ['-o', 'set', '--files-from', '-', '--include', '*'], ['-o', 'set', '--boxes', 'x', 'in', 'more'],
                     ['-o', 'set', '--boxes', 'x', '--files-from', 'y'], ['-o', 'set', '--boxes', 'x', '--text-file', 'y'],
                     ['-o', 'set', '--boxes', 'x', '--hidden'], ['-o', 'set', '--boxes', 'x', '-0']):
            with self.subTest(args):
                self.error('cbir-extract', *args, expect=2)
        self.assertEqual(os.listdir(self.dir), [])

    def test_missing_and_empty_inputs(self):
        (self.dir / 'empty').mkdir()
        self.assertIn('missing: No such file', self.error('cbir-extract', '-o', 'set', 'missing', expect=4))
        self.assertIn('empty: no pictures found', self.error('cbir-extract', '-o', 'set', 'empty', expect=4))
        self.assertIn('names no box', self.error('cbir-extract', '-o', 'set', '--boxes', '-', expect=4))
        self.assertIn('there is no such folder', self.error('cbir-extract', '-o', 'set', '--boxes', '-', 'missing', expect=4))
        self.assertIn('line 1', self.error('cbir-extract', '-o', 'set', '--boxes', '-', stdin=b'id\tpath\t1\n', expect=5))
        self.assertIn('the list is empty', self.error('cbir-extract', '-o', 'set', '--files-from', '-', expect=4))
        self.assertEqual(os.listdir(self.dir), ['empty'])

    def test_unknown_model_and_missing_weights(self):
        picture(1).save(self.dir / 'a.png')
        self.error('cbir-extract', '-o', 'set', '--model', 'no-such', 'a.png', expect=4)
        self.error('cbir-extract', '-o', 'set', '--weights', 'no-such.pth', 'a.png', expect=4)
        message = self.error('cbir-extract', '-o', 'set', 'a.png', expect=4, env={'CBIR_MODELS': str(self.dir / 'none')})
        self.assertIn('cbir-models fetch efficientnet-lite0', message)


class Extract(ToolTest):
    @classmethod
    def setUpClass(cls):
        test = ToolTest()
        test.setUp()
        picture(0).save(test.dir / 'a.png')
        done = subprocess.run([BIN / 'cbir-extract', '-o', 'set', 'a.png'], cwd=test.dir, capture_output=True)
        test.doCleanups()
        if done.returncode == 4 and b'cbir-models fetch' in done.stderr:
            raise unittest.SkipTest('the weights of efficientnet-lite0 are not here: cbir-models fetch efficientnet-lite0')

    def make(self, count, folder='in'):
        for i in range(count):
            path = self.dir / folder / ('cats' if i % 2 else 'dogs') / f'{i}.jpg'
            path.parent.mkdir(parents=True, exist_ok=True)
            picture(i).save(path, quality=90)

    def content(self, folder='.'):
        return [(self.dir / folder / name).read_bytes() for name in FILES]

    def rows(self, name='set'):
        return [json.loads(line) for line in (self.dir / f'{name}.rows.jsonl').read_text().splitlines()]

    def failed(self, name='set'):
        return [json.loads(line) for line in (self.dir / f'{name}.failed.jsonl').read_text().splitlines()]

    def test_a_folder_becomes_a_set(self):
        self.make(5)
        self.assertEqual(self.out('cbir-extract', '-o', 'set', 'in'), '')
        vectors = np.load(self.dir / 'set.npy')
        self.assertEqual((vectors.shape, vectors.dtype), ((5, 1280), np.float32))
        np.testing.assert_allclose((vectors ** 2).sum(1), 1, atol=1e-5)
        self.assertEqual([row['path'] for row in self.rows()],
                         ['in/cats/1.jpg', 'in/cats/3.jpg', 'in/dogs/0.jpg', 'in/dogs/2.jpg', 'in/dogs/4.jpg'])
        self.assertEqual([row['label'] for row in self.rows()], ['cats', 'cats', 'dogs', 'dogs', 'dogs'])
        self.assertEqual(sorted(os.listdir(self.dir)), sorted(('in', 'set.state') + FILES))
        before = self.content()
        self.assertEqual(self.out('cbir-extract', '-o', 'set', 'in'), '')  # nothing to do
        self.assertIn(b'nothing to do', self.run_tool('cbir-extract', '-o', 'set', 'in', '-v').stderr)
        self.assertEqual(self.content(), before)

    def test_the_same_bytes_with_any_number_of_threads(self):
        self.make(40)
        (self.dir / 'in/cats/bad.jpg').write_text('text')
        results = []
        for threads in (1, 2, 4, 4):
            folder = f'out{len(results)}'
            self.run_tool('cbir-extract', '-o', f'{folder}/set', 'in', '--threads', threads, '--batch', 4, expect=3)
            results.append(self.content(folder))
        for result in results[1:]:
            self.assertEqual(result, results[0])

    def test_precision_and_device(self):
        self.make(3)
        # What oneDNN and CUDA are told not to see is not here.
        plain = {'ONEDNN_MAX_CPU_ISA': 'AVX2', 'CUDA_VISIBLE_DEVICES': ''}
        message = self.error('cbir-extract', '-o', 'set', 'in', '--precision', 'bfloat16', env=plain, expect=9)
        self.assertIn('there is no bfloat16 arithmetic here', message)
        message = self.error('cbir-extract', '-o', 'set', 'in', '--device', 'cuda', env=plain, expect=9)
        self.assertIn('there is no CUDA device', message)
        self.assertFalse(set(os.listdir(self.dir)) & set(FILES))
        self.out('cbir-extract', '-o', 'plain', 'in', '--precision', 'auto', '--device', 'auto', env=plain)
        manifest = json.loads((self.dir / 'plain.json').read_text())
        self.assertEqual((manifest['precision'], manifest.get('device')), ('float32', None))

        self.out('cbir-extract', '-o', 'set', 'in')
        self.out('cbir-extract', '-o', 'fast', 'in', '--precision', 'auto')
        set_manifest, fast_manifest = (json.loads((self.dir / f'{name}.json').read_text()) for name in ('set', 'fast'))
        self.assertEqual(set_manifest['precision'], 'float32')
        self.assertEqual(set_manifest['fingerprint'], fast_manifest['fingerprint'])
        exact, fast, slow = (np.load(self.dir / f'{name}.npy') for name in ('set', 'fast', 'plain'))
        self.assertGreater((exact * slow).sum(1).min(), .999999)
        self.assertGreater((exact * fast).sum(1).min(), .999)
        self.assertEqual(np.array_equal(exact, fast), fast_manifest['precision'] == 'float32')
        # Either finds the other.
        self.out('cbir-index', 'build', 'fast', '-o', 'fast.cbir')
        best = self.out('cbir-query', 'fast.cbir', 'in/cats/1.jpg', '-k', 1, '--precision', 'float32').split('\t')
        self.assertEqual(best[3], 'in/cats/1.jpg\n')

    def test_lists_of_files(self):
        self.make(3)
        names = [b'in/dogs/2.jpg', b'in/cats/1.jpg', b'in/dogs/0.jpg']
        self.out('cbir-extract', '-o', 'set', '--files-from', '-', stdin=b'\n'.join(names) + b'\n')
        self.assertEqual([row['path'].encode() for row in self.rows()], names)
        (self.dir / 'list').write_bytes(b'\0'.join(names))
        self.out('cbir-extract', '-o', 'nul', '--files-from', 'list', '-0', '--label', 'none', '--dtype', 'float16')
        self.assertEqual([row['path'].encode() for row in self.rows('nul')], names)
        self.assertNotIn('label', self.rows('nul')[0])
        half, whole = np.load(self.dir / 'nul.npy'), np.load(self.dir / 'set.npy')
        np.testing.assert_array_equal(half, whole.astype(np.float16))

    def test_walks_choose(self):
        self.make(4)
        picture(9).save(self.dir / 'in/.hidden.png')
        picture(9).save(self.dir / 'in/cats/x.png')
        (self.dir / 'in/notes.txt').write_text('text')
        os.mkfifo(self.dir / 'in/fifo.jpg')
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(str(self.dir / 'in/socket'))
        self.out('cbir-extract', '-o', 'a', 'in', '--include', '*.png', '--include', '0.*')
        self.assertEqual([row['path'] for row in self.rows('a')], ['in/cats/x.png', 'in/dogs/0.jpg'])
        self.out('cbir-extract', '-o', 'b', 'in', '--exclude', 'dogs', '--hidden')
        self.assertEqual([row['path'] for row in self.rows('b')],
                         ['in/.hidden.png', 'in/cats/1.jpg', 'in/cats/3.jpg', 'in/cats/x.png'])
        summary = self.run_tool('cbir-extract', '-o', 'c', 'in', '--verbose').stderr
        self.assertIn(b'3 files passed over', summary)

    def test_labels_of_a_tsv(self):
        self.make(2)
        (self.dir / 'labels.tsv').write_text('0.jpg\tzero\tmore\n1.jpg\tone\n')
        self.out('cbir-extract', '-o', 'set', 'in', '--label', 'labels.tsv')
        self.assertEqual([row['label'] for row in self.rows()], ['one', 'zero'])
        (self.dir / 'labels.tsv').write_text('0.jpg\tzero\n')
        self.assertIn('no line gives a label', self.error('cbir-extract', '-o', 'x', 'in', '--label', 'labels.tsv', expect=6))

    def test_transparent_pictures(self):
        self.make(1)
        clear = picture(5, mode='RGBA')
        clear.putalpha(0)
        clear.save(self.dir / 'in/clear.png')
        Image.new('RGB', clear.size, 'white').save(self.dir / 'in/white.png')
        picture(5).save(self.dir / 'in/opaque.png')
        for alpha, same in (('white', 'white.png'), ('drop', 'opaque.png')):
            self.out('cbir-extract', '-o', alpha, 'in', '--alpha', alpha)
            vectors = np.load(self.dir / f'{alpha}.npy')
            at = {row['path']: i for i, row in enumerate(self.rows(alpha))}
            self.assertGreater(vectors[at['in/clear.png']] @ vectors[at[f'in/{same}']], .999999)

    def test_boxes_are_cut_as_pillow_cuts_them(self):
        boxes = {'whole': (0, 0, 80, 60), 'halves': (10.5, 11.5, 62.5, 47.5), 'odd': (3.2, 4.7, 33.4, 44.51)}
        (self.dir / 'cut').mkdir()
        (self.dir / 'pictures').mkdir()
        picture(3).save(self.dir / 'pictures/one.png')
        lines = ''
        for name, box in boxes.items():
            picture(3).crop(box).save(self.dir / f'cut/{name}.png')
            lines += '\t'.join(map(str, (name, 'one') + box)) + '\n'
        lines += 'beyond\tone\t40\t-20\t400\t30\nnothing\tone\t90\t0\t99\t9\n'
        picture(3).crop((40, 0, 80, 30)).save(self.dir / 'cut/beyond.png')
        done = self.run_tool('cbir-extract', '-o', 'set', '--boxes', '-', 'pictures', stdin=lines.encode(), expect=3)
        self.assertIn(b'1 of 5 items skipped, the first nothing: pictures/one.png: the box from (90, 0) to (99, 9)', done.stderr)
        names = list(boxes) + ['beyond']
        rows = self.rows()
        self.assertEqual([row['path'] for row in rows], names)
        self.assertEqual({row['picture'] for row in rows}, {'pictures/one.png'})
        self.assertEqual([row['box'] for row in rows], [[0, 0, 80, 60], [10, 12, 62, 48], [3, 5, 33, 45], [40, 0, 80, 30]])
        self.assertEqual([item['stage'] for item in self.failed()], ['crop'])
        (self.dir / 'list').write_text(''.join(f'cut/{name}.png\n' for name in names))
        self.out('cbir-extract', '-o', 'cut/set', '--files-from', 'list')
        np.testing.assert_array_equal(np.load(self.dir / 'set.npy'), np.load(self.dir / 'cut/set.npy'))
        fingerprints = {json.loads((self.dir / f'{name}.json').read_text())['fingerprint'] for name in ('set', 'cut/set')}
        self.assertEqual(len(fingerprints), 1)
        (self.dir / 'boxes.tsv').write_text(lines)
        self.out('cbir-extract', '-o', 'set', '--boxes', 'boxes.tsv', 'pictures')  # nothing to do
        # Parts of pictures are found, and shown, like any rows.
        self.out('cbir-index', 'build', 'set', '-o', 'x.cbir')
        self.assertIn('\thalves\n', self.out('cbir-query', 'x.cbir', '--path', 'odd'))
        self.out('cbir-query', 'x.cbir', '--path', 'odd', '--format', 'html', '-o', 'page.html')
        self.assertEqual((self.dir / 'page.html').read_text().count('data:image/jpeg;base64,'), 1)

    def bad_folder(self):
        """Good files, and bad ones with what their failure must say."""
        self.make(3)
        folder = os.fsencode(self.dir / 'in')

        def put(name, data):
            with open(os.path.join(folder, name), 'wb') as file:
                file.write(data)
        picture(20).save(self.dir / 'in/whole.jpg')
        put(b'truncated.jpg', (self.dir / 'in/whole.jpg').read_bytes()[:700])
        put(b'empty.png', b'')
        put(b'text.jpg', b'this is no picture')
        put(b'bomb.png', huge_png(30000))
        put(b'new\nline.jpg', (self.dir / 'in/whole.jpg').read_bytes())
        put(b'not\xffutf8.jpg', (self.dir / 'in/dogs/0.jpg').read_bytes())
        picture(21).convert('P').save(self.dir / 'in/still.gif')
        frames = [picture(i) for i in (22, 23)]
        frames[0].save(self.dir / 'in/moving.webp', save_all=True, append_images=frames[1:], lossless=True)
        put(b'unreadable.jpg', (self.dir / 'in/whole.jpg').read_bytes())
        os.chmod(self.dir / 'in/unreadable.jpg', 0)
        return {'in/truncated.jpg': 'truncated', 'in/empty.png': 'empty', 'in/text.jpg': '', 'in/bomb.png': '30000',
                'in/unreadable.jpg': 'Permission denied'}

    def test_one_bad_item_never_stops_a_run(self):
        bad = self.bad_folder()
        # Root may read everything, unless it lays its capabilities down.
        drop = ['setpriv', '--inh-caps=-all', '--bounding-set=-all'] if os.geteuid() == 0 else []
        done = subprocess.run(drop + [str(BIN / 'cbir-extract'), '-o', 'set', 'in'], cwd=self.dir, capture_output=True)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(done.stderr.count(b'\n'), 1)
        self.assertIn(b'5 of 13 items skipped', done.stderr)
        self.assertIn(b'set.failed.jsonl', done.stderr)

        failed = {item['path']: item for item in self.failed()}
        self.assertEqual(failed.keys(), bad.keys())
        for path, reason in bad.items():
            self.assertIn(reason, failed[path]['reason'])
            self.assertEqual(failed[path]['stage'], 'decode' if path in ('in/truncated.jpg', 'in/text.jpg', 'in/bomb.png') else 'read')

        rows, vectors = self.rows(), np.load(self.dir / 'set.npy')
        self.assertEqual(len(rows), 8)
        self.assertEqual(len(vectors), 8)
        self.assertEqual(sorted([row['seq'] for row in rows] + [item['seq'] for item in failed.values()]), list(range(13)))
        paths = {row.get('path') for row in rows}
        self.assertTrue({'in/new\nline.jpg', 'in/still.gif', 'in/moving.webp', 'in/whole.jpg'} <= paths)
        self.assertEqual([row['path_b64'] for row in rows if 'path_b64' in row], ['aW4vbm90/3V0ZjguanBn'])
        for i, row in enumerate(rows):
            path = row['path'].encode() if 'path' in row else b'in/not\xffutf8.jpg'
            self.out('cbir-extract', '-o', f'alone{i}', path)
            alone = np.load(self.dir / f'alone{i}.npy')
            self.assertGreater(vectors[i] @ alone[0], .999999, path)

    def test_too_many_failures(self):
        self.make(4)
        for i in range(3):
            (self.dir / f'in/{i}.jpg').write_text('text')
        message = self.error('cbir-extract', '-o', 'set', 'in', '--max-failures', 2, expect=4)
        self.assertIn('3 of 7 items failed', message)
        self.assertFalse((self.dir / 'set.json').exists())
        # 'auto' may come to something else on the machine that goes on; a set is made in one arithmetic.
        arithmetic = self.dir / 'set.state/arithmetic'
        here = arithmetic.read_text()
        arithmetic.write_text('float32 on elsewhere')
        message = self.error('cbir-extract', '-o', 'set', 'in', '--max-failures', '50%', expect=6)
        self.assertIn(f"ran in 'float32 on elsewhere' and comes to '{here}' here", message)
        arithmetic.write_text(here)
        self.run_tool('cbir-extract', '-o', 'set', 'in', '--max-failures', '50%', expect=3)
        self.error('cbir-extract', '-o', 'none', 'in/0.jpg', 'in/1.jpg', expect=4)

    def test_nothing_is_overwritten_without_force(self):
        self.make(2)
        (self.dir / 'set.npy').write_text('theirs')
        self.assertIn('--force', self.error('cbir-extract', '-o', 'set', 'in', expect=7))
        self.assertEqual((self.dir / 'set.npy').read_text(), 'theirs')
        self.out('cbir-extract', '-o', 'set', 'in', '--force')
        self.assertIn('its dtype was float32', self.error('cbir-extract', '-o', 'set', 'in', '--dtype', 'float16', expect=7))
        self.out('cbir-extract', '-o', 'set', 'in', '--dtype', 'float16', '--force')
        self.assertEqual(np.load(self.dir / 'set.npy').dtype, np.float16)

    def test_one_run_at_a_time(self):
        self.make(1)
        (self.dir / 'set.state').mkdir()
        with open(self.dir / 'set.state/lock', 'w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.error('cbir-extract', '-o', 'set', 'in', expect=8)
        self.out('cbir-extract', '-o', 'set', 'in')

    def test_progress(self):
        self.make(3)
        self.assertIn(b'3 of 3 pictures', self.run_tool('cbir-extract', '-o', 'set', 'in', '--progress').stderr)

    def test_killed_and_run_again(self):
        self.make(150)
        (self.dir / 'in/cats/bad.jpg').write_text('text')
        args = ['in', '--batch', 2, '--threads', 2]
        self.run_tool('cbir-extract', '-o', 'whole/set', *args, expect=3)
        need(self, MOMENTS)
        for _ in range(4):  # each gets some 12 of the 76 batches done, of four writes each
            self.run_tool('cbir-extract', '-o', 'set', *args, env=self.bad_luck(60), expect=-signal.SIGKILL)
        self.assertFalse((self.dir / 'set.json').exists())
        last = self.run_tool('cbir-extract', '-o', 'set', *args, expect=3)
        self.assertIn(b'going on after', last.stderr)
        self.assertEqual(self.content(), self.content('whole'))

    def test_a_full_disk(self):
        self.make(30)
        self.out('cbir-extract', '-o', 'whole/set', 'in')

        def small_files():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        done = subprocess.run([BIN / 'cbir-extract', '-o', 'set', 'in'], cwd=self.dir, capture_output=True,
                              preexec_fn=small_files)
        self.assertEqual(done.returncode, 7, done.stderr)
        self.assertIn(b'cannot be written', done.stderr)
        self.assertIn(b'pictures are decoded in this one', done.stderr)
        self.assertFalse((self.dir / 'set.npy').exists())
        self.run_tool('cbir-extract', '-o', 'set', 'in')
        self.assertEqual(self.content(), self.content('whole'))


if __name__ == '__main__':
    main()
