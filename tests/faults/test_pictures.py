"""A folder of pictures of which one in a hundred is broken, in every way that we know, and files that are no files: every sound
row is there and is the one made of its picture alone, every bad file is named with a reason, and nothing else happens.

CBIR_FAULTS=100 takes 10,000 pictures instead of a few hundred."""
import io
import json
import os
import socket
import struct
import threading
import zlib

import numpy as np
from PIL import Image

from cbirtest import BIN, ToolTest, main
from fake_encoder import FAKE, make_encoders, make_plugins

MANY = int(os.environ.get('CBIR_FAULTS', '0')) >= 100
HUGE = 60000  # pixels a side: more than Pillow takes


def encoded(picture, kind, **options):
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


def png(width, height, data, *before):
    head = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + b''.join(before) + chunk(b'IDAT', data) + chunk(b'IEND', b'')


def segment(marker, data):
    return struct.pack('>HH', marker, len(data) + 2) + data


def with_size(jpeg, width, height):
    """A JPEG whose frame claims another size."""
    at = jpeg.index(b'\xff\xc0') + 5
    return jpeg[:at] + struct.pack('>HH', height, width) + jpeg[at + 4:]


def tiff(*fields, offset=8):
    """A little-endian TIFF of one directory: (tag, type, count, value)."""
    directory = struct.pack('<H', len(fields)) + b''.join(struct.pack('<HHII', *field) for field in fields)
    return b'II*\0' + struct.pack('<I', offset) + directory + struct.pack('<I', 8) + bytes(64)  # the next one: itself


def exif(body):
    return segment(0xffe1, b'Exif\0\0' + body)


def ways(picture):
    """Broken files by name, and whether they must fail (True), must not (False), or may do either, but no more (None)."""
    jpeg, flat = encoded(picture, 'JPEG', quality=90), encoded(picture, 'PNG')
    made = {'jpeg': jpeg, 'png': flat, 'gif': encoded(picture, 'GIF'), 'webp': encoded(picture, 'WEBP', lossless=True),
            'tiff': encoded(picture, 'TIFF', compression='tiff_lzw'), 'bmp': encoded(picture, 'BMP'),
            'progressive.jpeg': encoded(picture, 'JPEG', progressive=True)}
    broken = {}
    for name, data in made.items():
        for tenth in range(1, 10):
            broken[f'cut-{tenth}.{name}'] = data[:len(data) * tenth // 10], True
        for at in range(32):
            broken[f'byte-{at}.{name}'] = data[:at] + bytes([data[at] ^ 0xff]) + data[at + 1:], None
    start, rest = jpeg[:2], jpeg[2:]
    frame = jpeg.index(b'\xff\xc0')
    broken.update({
        'empty.jpg': (b'', True),
        'zeros.jpg': (bytes(2000), True),
        'text.jpg': (b'<html>404 not found</html>', True),
        'headers-only.jpg': (jpeg[:jpeg.index(b'\xff\xda')], True),
        '12-bit.jpg': (jpeg[:frame + 4] + b'\x0c' + jpeg[frame + 5:], True),
        'bomb.jpg': (with_size(jpeg, 65500, 65500), True),
        'no-width.jpg': (with_size(jpeg, 0, 40), True),
        'bomb.png': (png(HUGE, HUGE, zlib.compress(bytes(1000))), True),
        'too-few-rows.png': (png(40, 40, zlib.compress(bytes(121))), True),
        'bomb.gif': (b'GIF89a' + struct.pack('<HHBBB', 65535, 65535, 0x80, 0, 0) + bytes(6) + b',' +
                     struct.pack('<HHHHB', 0, 0, 65535, 65535, 0) + b'\x02\x02\x4c\x01\0;', True),
        'bomb.webp': (b'RIFF' + struct.pack('<I', 26) + b'WEBPVP8L' + struct.pack('<I', 14) + b'\x2f' +
                      struct.pack('<I', 16383 | 16383 << 14) + bytes(9), True),
        'bomb.tiff': (tiff((256, 4, 1, HUGE), (257, 4, 1, HUGE), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
                           (273, 4, 1, 8), (278, 4, 1, HUGE), (279, 4, 1, 10)), True),
        'directory-loop.tiff': (tiff((256, 4, 1, 0), offset=8), True),
        'no-directory.tiff': (b'II*\0' + struct.pack('<I', 1 << 30) + bytes(100), True),
        'bomb.bmp': (b'BM' + struct.pack('<IHHIIiiHHIIiiII', 100, 0, 0, 54, 40, HUGE, HUGE, 1, 24, 0, 0, 0, 0, 0, 0), True),
        'png-by-name.jpg': (flat, False),
        'text-bomb.png': (png(40, 40, zlib.compress(bytes(40 * 121)),
                              chunk(b'zTXt', b'k\0\0' + zlib.compress(bytes(50_000_000)))), False),
        'profile-of-nonsense.jpg': (start + segment(0xffe2, b'ICC_PROFILE\0\x01\x01' + bytes(range(200))) + rest, False),
        'exif-loop.jpg': (start + exif(tiff((34665, 4, 1, 8), (274, 3, 1, 1))) + rest, False),
        'exif-elsewhere.jpg': (start + exif(b'II*\0' + struct.pack('<I', 0xfffffff0)) + rest, False),
        'surplus.jpg': (jpeg + bytes(5000), False),
        'cmyk.jpg': (encoded(picture.convert('CMYK'), 'JPEG'), False),
        'grey-16.png': (encoded(Image.new('I;16', (40, 40), 40000), 'PNG'), False),
        'one-pixel.png': (encoded(picture.resize((1, 1)), 'PNG'), False),
    })
    return broken


class Extraction(ToolTest):
    def setUp(self):
        super().setUp()
        if not FAKE.exists():
            self.skipTest(f'{FAKE} is not here')
        self.env = {**make_encoders(self.dir), 'CBIR_PLUGIN_DIR': make_plugins(self.dir / 'plugins', 'codecs')}
        self.random = np.random.default_rng(1)

    def picture(self):
        """40 x 40 pixels, a colour with some noise, so that no two have the same vector."""
        pixels = self.random.integers(0, 256, 3) + self.random.integers(-20, 20, (40, 40, 3))
        return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))

    def extract(self, name, *args, **kw):
        return self.run_tool('cbir-extract', '-o', name, *args, '--model', 'colours', env=self.env, **kw)

    def rows(self, name):
        lines = [json.loads(line) for line in (self.dir / f'{name}.rows.jsonl').read_text().splitlines()]
        return dict(zip([line.get('path') or line['path_b64'] for line in lines], np.load(self.dir / f'{name}.npy'), strict=True))

    def failures(self, name):
        lines = [json.loads(line) for line in (self.dir / f'{name}.failed.jsonl').read_text().splitlines()]
        return {line.get('path') or line['path_b64']: (line['stage'], line['reason']) for line in lines}

    def test_broken_pictures_harm_no_others(self):
        folder = self.dir / 'photos'
        folder.mkdir()
        broken = ways(self.picture())
        kinds = [('jpg', 'JPEG', {'quality': 95}), ('png', 'PNG', {}), ('gif', 'GIF', {}), ('webp', 'WEBP', {}), ('tif', 'TIFF', {})]
        for i in range(10_000 if MANY else 400):
            ending, kind, options = kinds[i % len(kinds)]
            self.picture().save(folder / f'{i:05}.{ending}', kind, **options)
        for i, (name, (data, _)) in enumerate(broken.items()):  # between the sound ones
            (folder / f'{i:05}-{name}').write_bytes(data)
        names = {name: f'photos/{i:05}-{name}' for i, name in enumerate(broken)}
        self.extract('all', 'photos', expect=3)
        rows, failed = self.rows('all'), self.failures('all')

        self.assertEqual(rows.keys() & failed.keys(), set())
        self.assertEqual(rows.keys() | failed.keys(), {f'photos/{name}' for name in os.listdir(folder)})
        for name, (_, fails) in broken.items():
            with self.subTest(name=name):
                path = names[name]
                if fails is not None:
                    self.assertEqual(path in failed, fails, failed.get(path))
                if path in failed:
                    stage, reason = failed[path]
                    self.assertIn(stage, ('read', 'decode'))
                    self.assertGreater(len(reason), 8)
                    if 'bomb' in name:
                        self.assertRegex(reason, 'pixels|large|size')
        for path in rows:
            self.assertTrue(np.isfinite(rows[path]).all())
        self.assertEqual([path for path in failed if '-' not in path], [])

        # Alone, without the broken ones, they are the same.
        sound = '\0'.join(rows) + '\0'
        self.extract('sound', '--files-from', '-', '-0', stdin=sound.encode())
        alone = self.rows('sound')
        self.assertEqual(list(alone), list(rows))
        for path, row in rows.items():
            self.assertGreaterEqual(float(row @ alone[path]), .999999)

    def test_truncated_pictures_on_request(self):
        data = encoded(self.picture(), 'JPEG', quality=95)
        (self.dir / 'cut.jpg').write_bytes(data[:len(data) * 2 // 3])
        self.extract('a', 'cut.jpg', expect=4)
        self.extract('b', 'cut.jpg', '--accept-truncated')
        self.assertEqual(len(self.rows('b')), 1)

    def test_more_pixels_than_allowed(self):
        self.picture().save(self.dir / 'a.png')
        done = self.extract('a', 'a.png', '--max-pixels', '1599', expect=4)
        self.assertIn(b'40 x 40', done.stderr)
        self.extract('b', 'a.png', '--max-pixels', '1600')

    def test_names_of_any_bytes(self):
        folder = os.fsencode(self.dir / 'photos')
        os.mkdir(folder)
        names = [b'new\nline.jpg', b'tab\t.jpg', b'"quotes" \'and\' `so` $(on).jpg', b'\xff\xfe not UTF-8.jpg', b' spaces .jpg',
                 b'-o.jpg', b'back\\slash.jpg', b'\x1b[31mred.jpg', b'x' * 251 + b'.jpg', 'Ä 日本 🙂.jpg'.encode()]
        for name in names:
            with open(os.path.join(folder, name), 'wb') as file:
                file.write(encoded(self.picture(), 'JPEG'))
        deep = folder
        for _ in range(500):
            deep = os.path.join(deep, b'd')
            os.mkdir(deep)
        with open(os.path.join(deep, b'deep.jpg'), 'wb') as file:
            file.write(encoded(self.picture(), 'JPEG'))
        self.extract('a', 'photos')
        self.assertEqual(len(self.rows('a')), len(names) + 1)
        # By name, each between NULs, they are the same rows.
        paths = [b'photos/' + name for name in names]
        self.extract('b', '--files-from', '-', '-0', stdin=b''.join(path + b'\0' for path in paths))
        a, b = self.rows('a'), self.rows('b')
        for path, row in b.items():
            self.assertTrue(np.array_equal(a[path], row), path)
        # And what queries print of them keeps its lines.
        self.run_tool('cbir-index', 'build', 'a', '-o', 'a.cbir')
        text = self.run_tool('cbir-query', 'a.cbir', '--row', '0', '-k', '20').stdout
        self.assertEqual([line.count(b'\t') for line in text.splitlines()], [3] * 11)
        self.assertNotIn(b'\x1b', text)
        raw = self.run_tool('cbir-query', 'a.cbir', '--row', '0', '-k', '20', '-0').stdout
        for path in paths:
            self.assertIn(b'\t' + path + b'\0', raw)

    def test_what_is_no_file(self):
        folder = self.dir / 'photos'
        (folder / 'below').mkdir(parents=True)
        self.picture().save(folder / 'good.jpg')
        (folder / 'loop').symlink_to('.')
        (folder / 'below/up').symlink_to('..')
        (folder / 'self.jpg').symlink_to('self.jpg')
        (folder / 'nowhere.jpg').symlink_to('not/there.jpg')
        os.mkfifo(folder / 'fifo.jpg')
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        here = os.getcwd()
        os.chdir(folder)  # the path of a socket is short
        try:
            listener.bind('socket.jpg')
        finally:
            os.chdir(here)
        (folder / 'zero.jpg').symlink_to('/dev/zero')
        done = self.extract('a', 'photos', expect=None)  # and it does not wait for the FIFO, or read zeros for ever
        self.assertIn(done.returncode, (0, 3), done.stderr)
        self.assertEqual(list(self.rows('a')), ['photos/good.jpg'])
        named = [f'photos/{name}.jpg' for name in ('fifo', 'socket', 'zero', 'self', 'nowhere')]
        self.extract('b', '--files-from', '-', stdin='\n'.join(['photos/good.jpg', *named]).encode(), expect=3)
        self.assertEqual(set(self.failures('b')), set(named))
        self.assertEqual(list(self.rows('b')), ['photos/good.jpg'])

    def test_files_that_change_while_they_are_read(self):
        """Writers that make files longer, shorter, and no files, all the time: each is a row or a failure."""
        folder = self.dir / 'photos'
        folder.mkdir()
        data = encoded(self.picture().resize((300, 300)), 'JPEG', quality=95)
        paths = [folder / f'{i:03}.jpg' for i in range(120)]
        for path in paths:
            path.write_bytes(data)
        stop = threading.Event()

        def disturb():
            random = np.random.default_rng(2)
            while not stop.is_set():
                path = paths[random.integers(len(paths))]
                how = random.integers(3)
                if how == 0:
                    path.unlink(missing_ok=True)
                elif how == 1:
                    path.write_bytes(data + bytes(random.integers(100000)))
                elif path.exists():
                    os.truncate(path, random.integers(len(data)))

        thread = threading.Thread(target=disturb)
        thread.start()
        try:
            for attempt in range(5):
                done = self.extract(f'a{attempt}', *(f'photos/{path.name}' for path in paths), expect=None)
                self.assertIn(done.returncode, (0, 3, 4), done.stderr)
                if done.returncode != 4:
                    self.assertEqual(len(self.rows(f'a{attempt}')) + len(self.failures(f'a{attempt}')), len(paths))
        finally:
            stop.set()
            thread.join()


if __name__ == '__main__':
    main()
