"""Decoding and resizing beside Pillow's, pixel by pixel. The difference must be 0 unless a test says otherwise.

Where the toolkit goes its own way on purpose, the reference is worked out here: alpha is composited on white, 16-bit
samples are value / 257 rounded, EXIF orientation is applied.
"""
import io
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tools'))
from cbirtest import BIN, main  # noqa: E402

FILTERS = {'nearest': Image.NEAREST, 'box': Image.BOX, 'bilinear': Image.BILINEAR, 'bicubic': Image.BICUBIC,
           'lanczos': Image.LANCZOS}
JPEG_EXIF = 0x0112


def noise(rng, width, height, channels):
    """Smooth colour with noise on top: exercises both the DCT's flat and its busy blocks."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [(128 + 100 * np.sin(x / (5 + c) + y / (9 - c)) + rng.normal(0, 25, (height, width))) for c in range(channels)]
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def on_white(rgba):
    """round((c a + 255 (255 - a)) / 255) of an RGBA picture."""
    a = np.asarray(rgba.convert('RGBA')).astype(np.int64)
    value = a[..., :3] * a[..., 3:] + 255 * (255 - a[..., 3:])
    return ((value * 2 + 255) // 510).astype(np.uint8)


def opened(path):
    return Image.open(io.BytesIO(path.read_bytes()))


class Tool:
    """The toolkit's decoder and resizer in a process of its own."""

    def __init__(self):
        self.process = subprocess.Popen([BIN / 'cbir-image-tool'], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)

    def ask(self, *words):
        """An array, a line of a probe as a list, or an error's (code, message)."""
        self.process.stdin.write(' '.join(str(w) for w in words).encode() + b'\n')
        self.process.stdin.flush()
        line = self.process.stdout.readline().decode()
        if line.startswith('error '):
            _, code, message = line.split(' ', 2)
            return int(code), message.strip()
        if line.startswith('probe '):
            return line.split()[1:]
        assert line == 'P6\n', line
        width, height = map(int, self.process.stdout.readline().split())
        self.process.stdout.readline()
        return np.frombuffer(self.process.stdout.read(width * height * 3), np.uint8).reshape(height, width, 3)

    def close(self):
        """Ends the tool; returns what it said on standard error."""
        _, said = self.process.communicate(timeout=60)
        return said


class ImageParity(unittest.TestCase):
    def setUp(self):
        self.dir = Path(tempfile.mkdtemp(prefix='cbir-parity-'))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.rng = np.random.default_rng(7)
        self.tool = Tool()
        self.addCleanup(self.check_silence)

    def check_silence(self):
        self.assertEqual(self.tool.close(), b'', 'the library printed something')

    def path(self, content, name='picture'):
        path = self.dir / name
        path.write_bytes(content)
        return path

    def save(self, image, format, **options):
        buffer = io.BytesIO()
        image.save(buffer, format, **options)
        return self.path(buffer.getvalue())

    def same(self, ours, reference, what, tolerance=0):
        self.assertIsInstance(ours, np.ndarray, f'{what}: {ours}')
        reference = np.asarray(reference)
        self.assertEqual(ours.shape, reference.shape, what)
        difference = int(np.abs(ours.astype(int) - reference.astype(int)).max())
        self.assertLessEqual(difference, tolerance, f'{what}: largest difference {difference}')

    def check_file(self, path, what, tolerance=0):
        """The file as Pillow converts it to RGB, upright."""
        reference = ImageOps.exif_transpose(opened(path)).convert('RGB')
        self.same(self.tool.ask('decode', 'drop', path), reference, what, tolerance)
        if reference.mode == 'RGB' and tolerance == 0:
            opaque = self.tool.ask('decode', 'white', path)
            stored = ImageOps.exif_transpose(opened(path))
            alpha = stored.mode in ('RGBA', 'LA', 'PA') or 'transparency' in stored.info
            self.same(opaque, on_white(stored) if alpha else reference, what + ' on white')

    def test_jpeg_colours_and_subsamplings(self):
        for width, height in [(1, 1), (7, 5), (16, 16), (33, 17), (64, 48), (101, 67)]:
            rgb = Image.fromarray(noise(self.rng, width, height, 3))
            for subsampling in ('4:4:4', '4:2:2', '4:2:0', '4:1:1'):
                for progressive in (False, True):
                    for quality in (30, 90):
                        path = self.save(rgb, 'JPEG', subsampling=subsampling, progressive=progressive, quality=quality)
                        self.check_file(path, f'JPEG {width} x {height} {subsampling} {progressive=} {quality=}')
            self.check_file(self.save(rgb.convert('L'), 'JPEG', progressive=True), 'grey JPEG')
            cmyk = Image.fromarray(noise(self.rng, width, height, 4), 'CMYK')
            self.check_file(self.save(cmyk, 'JPEG'), f'CMYK JPEG {width} x {height}')

    def test_ycck_and_plain_rgb_jpeg(self):
        cmyk = self.save(Image.fromarray(noise(self.rng, 40, 30, 4), 'CMYK'), 'JPEG').read_bytes()
        adobe = cmyk.index(b'Adobe')
        self.assertEqual(cmyk[adobe + 11], 0)
        self.check_file(self.path(cmyk[:adobe + 11] + b'\2' + cmyk[adobe + 12:]), 'the same samples as YCCK')
        rgb = self.save(Image.fromarray(noise(self.rng, 40, 30, 3)), 'JPEG', subsampling=0).read_bytes()
        marker = b'\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00'  # transform 0: RGB
        self.check_file(self.path(rgb[:2] + marker + rgb[20:]), 'RGB JPEG')

    def test_orientations(self):
        picture = Image.fromarray(noise(self.rng, 37, 23, 3))
        for orientation in range(1, 9):
            exif = Image.Exif()
            exif[JPEG_EXIF] = orientation
            for format, options in [('JPEG', {}), ('PNG', {}), ('WEBP', {'lossless': True})]:
                path = self.save(picture, format, exif=exif, **options)
                self.check_file(path, f'{format} orientation {orientation}')
                self.assertEqual(self.tool.ask('probe', path)[3], str(orientation))
            path = self.save(picture, 'TIFF', tiffinfo={274: orientation})
            stored = {2: Image.FLIP_LEFT_RIGHT, 3: Image.ROTATE_180, 4: Image.FLIP_TOP_BOTTOM, 5: Image.TRANSPOSE,
                      6: Image.ROTATE_270, 7: Image.TRANSVERSE, 8: Image.ROTATE_90}
            upright = picture.transpose(stored[orientation]) if orientation > 1 else picture
            self.same(self.tool.ask('decode', 'drop', path), upright, f'TIFF orientation {orientation}')

    def test_png_modes(self):
        for width, height in [(1, 1), (13, 9), (64, 33)]:
            rgba = Image.fromarray(noise(self.rng, width, height, 4), 'RGBA')
            rgb = rgba.convert('RGB')
            for mode in ('1', 'L', 'LA', 'P', 'RGB', 'RGBA'):
                self.check_file(self.save(rgba.convert(mode), 'PNG'), f'PNG {mode}')
            self.check_file(self.save(rgb.quantize(5), 'PNG', bits=4), 'PNG of 4-bit palette')
            self.check_file(self.save(rgb.quantize(2), 'PNG', bits=1), 'PNG of 1-bit palette')
            self.check_file(self.save(rgb.quantize(32), 'PNG', transparency=3), 'PNG palette, one transparent')
            alphas = bytes(range(0, 256, 8))
            self.check_file(self.save(rgb.quantize(32), 'PNG', transparency=alphas), 'PNG palette with alphas')
            self.check_file(self.save(rgb.convert('L'), 'PNG', transparency=128), 'PNG grey with a transparent level')
            colour = rgb.getpixel((0, 0))
            self.check_file(self.save(rgb, 'PNG', transparency=colour), 'PNG with a transparent colour')

    def test_sixteen_bits_are_scaled_and_rounded(self):
        values = self.rng.integers(0, 65536, (20, 31)).astype(np.uint16)
        expected = ((values.astype(np.int64) * 2 + 257) // 514).astype(np.uint8)
        expected = np.repeat(expected[..., None], 3, -1)
        picture = Image.fromarray(values)
        for format, options in [('PNG', {}), ('TIFF', {}), ('TIFF', {'compression': 'tiff_lzw'})]:
            path = self.save(picture, format, **options)
            self.same(self.tool.ask('decode', 'white', path), expected, f'16-bit {format} {options}')
        pgm = self.path(b'P5 31 20 65535\n' + values.astype('>u2').tobytes())
        self.same(self.tool.ask('decode', 'white', pgm), expected, '16-bit PGM')

    def test_tiff(self):
        for width, height in [(1, 1), (17, 9), (65, 130)]:
            rgba = Image.fromarray(noise(self.rng, width, height, 4), 'RGBA')
            for compression in ('raw', 'tiff_lzw', 'tiff_adobe_deflate', 'packbits'):
                for mode in ('1', 'L', 'LA', 'P', 'RGB', 'RGBA'):
                    self.check_file(self.save(rgba.convert(mode), 'TIFF', compression=compression), f'TIFF {mode} {compression}')
            self.check_file(self.save(rgba.convert('1'), 'TIFF', compression='group4'), 'TIFF group 4')
            cmyk = Image.fromarray(noise(self.rng, width, height, 4), 'CMYK')
            self.check_file(self.save(cmyk, 'TIFF'), 'CMYK TIFF (libtiff cuts where Pillow rounds)', tolerance=1)

    def test_gif(self):
        for width, height in [(1, 1), (9, 13), (64, 33)]:
            rgb = Image.fromarray(noise(self.rng, width, height, 3))
            for interlace in (0, 1):
                self.check_file(self.save(rgb.quantize(64), 'GIF', interlace=interlace), 'GIF')
                self.check_file(self.save(rgb.quantize(16), 'GIF', interlace=interlace, transparency=3), 'GIF, transparent')
            self.check_file(self.save(rgb.convert('L'), 'GIF'), 'grey GIF')
            frames = [Image.fromarray(noise(self.rng, width, height, 3)) for _ in range(3)]
            self.check_file(self.save(frames[0], 'GIF', save_all=True, append_images=frames[1:]), 'animated GIF')

    def test_gif_frame_off_the_screen(self):
        whole = self.save(Image.fromarray(noise(self.rng, 12, 9, 3)).quantize(16), 'GIF').read_bytes()
        frame = whole.index(b',\0\0\0\0\x0c\0\x09\0')
        for left, top in [(0, 0), (3, 2)]:
            for width, height in [(20, 15), (12, 9), (5, 4)]:
                moved = bytearray(whole)
                moved[6:10] = struct.pack('<HH', width, height)
                moved[frame + 1:frame + 5] = struct.pack('<HH', left, top)
                self.check_file(self.path(bytes(moved)), f'GIF frame at {left}, {top} of a screen of {width} x {height}')

    def test_webp(self):
        for width, height in [(1, 1), (13, 9), (64, 33)]:
            rgba = Image.fromarray(noise(self.rng, width, height, 4), 'RGBA')
            for lossless in (False, True):
                self.check_file(self.save(rgba, 'WEBP', lossless=lossless, exact=True), f'WebP RGBA {lossless=}')
                self.check_file(self.save(rgba.convert('RGB'), 'WEBP', lossless=lossless), f'WebP RGB {lossless=}')
            frames = [Image.fromarray(noise(self.rng, width, height, 3)) for _ in range(3)]
            self.check_file(self.save(frames[0], 'WEBP', save_all=True, append_images=frames[1:]), 'animated WebP')

    def test_bmp(self):
        for width, height in [(1, 1), (13, 9), (64, 33)]:
            rgb = Image.fromarray(noise(self.rng, width, height, 3))
            for mode in ('1', 'L', 'P', 'RGB', 'RGBA'):
                self.check_file(self.save(rgb.convert(mode), 'BMP'), f'BMP {mode}')
            words = self.rng.integers(0, 65536, (height, (width + 1) // 2 * 2)).astype('<u2').tobytes()
            for fields in ((0x7C00, 0x3E0, 0x1F), (0xF800, 0x7E0, 0x1F)):
                head = struct.pack('<IiiHHIIiiII', 40, width, height, 1, 16, 3, 0, 0, 0, 0, 0) + struct.pack('<3I', *fields)
                bmp = b'BM' + struct.pack('<IHHI', 14 + len(head) + len(words), 0, 0, 14 + len(head)) + head + words
                self.check_file(self.path(bmp), f'16-bit BMP {fields}')

    def test_run_length_bmp(self):
        palette = b''.join(struct.pack('<4B', *self.rng.integers(0, 256, 3), 0) for _ in range(256))
        rows = b'\x05\x07\x03\x09\0\0' + b'\0\x05\x01\x02\x03\x04\x05\0\x03\x08\0\0' + b'\x08\x02\0\0\0\1'
        head = struct.pack('<IiiHHIIiiII', 40, 8, 3, 1, 8, 1, len(rows), 0, 0, 256, 0)
        bmp = b'BM' + struct.pack('<IHHI', 54 + 1024 + len(rows), 0, 0, 54 + 1024) + head + palette + rows
        self.check_file(self.path(bmp), 'BMP in runs of bytes')

    def test_pnm(self):
        rgb = Image.fromarray(noise(self.rng, 21, 10, 3))
        for mode in ('1', 'L', 'RGB'):
            self.check_file(self.save(rgb.convert(mode), 'PPM'), f'PNM {mode}')
        self.check_file(self.path(b'P1\n# a comment\n3 2\n101\n0 1 0\n'), 'plain PBM')
        self.check_file(self.path(b'P2 3 2 100\n0 50 100\n7 # x\n 11 99\n'), 'plain PGM')
        self.check_file(self.path(b'P3 1 2 255\n1 2 3 250 251 252\n'), 'plain PPM')
        self.check_file(self.path(b'P6 2 1 99\n' + bytes([0, 9, 99, 50, 60, 70])), 'PPM up to 99')

    def test_damaged_jpeg(self):
        whole = self.save(Image.fromarray(noise(self.rng, 96, 80, 3)), 'JPEG', quality=80).read_bytes()
        half = self.path(whole[:len(whole) // 2])
        code, message = self.tool.ask('decode', 'white', half)
        self.assertEqual(code, 5)
        self.assertTrue(message.startswith('truncated JPEG: '), message)
        self.assertEqual(self.tool.ask('truncated', half).shape, (80, 96, 3))

    def test_resize(self):
        rng = random.Random(11)
        for round in range(120):
            width, height = rng.randint(1, 90), rng.randint(1, 90)
            if round % 10 == 0:
                width, height = rng.randint(200, 700), rng.randint(200, 700)
            picture = Image.fromarray(noise(self.rng, width, height, 3)) if round % 3 else Image.fromarray(
                (self.rng.integers(0, 2, (height, width, 3)) * 255).astype(np.uint8))  # over- and undershoot
            path = self.save(picture, 'PPM')
            for name, filter in FILTERS.items():
                to = [rng.randint(1, 150), rng.randint(1, 150)]
                if round % 5 == 1:
                    to[rng.randint(0, 1)] = (width, height)[rng.randint(0, 1)]
                if round % 7 == 1:
                    to[0] = width
                if round % 7 == 2:
                    to[1] = height
                reference = picture.resize(to, filter)
                what = f'{width} x {height} to {to[0]} x {to[1]} {name}'
                self.same(self.tool.ask('resize', name, *to, path), reference, what)
                box = [rng.randint(-3, to[0]), rng.randint(-3, to[1]), rng.randint(1, 160), rng.randint(1, 160)]
                part = reference.crop((box[0], box[1], box[0] + box[2], box[1] + box[3]))
                self.same(self.tool.ask('window', name, *to, *box, path), part, f'{what}, window {box}')


if __name__ == '__main__':
    main()
