"""Pictures of every mode and size that an encoder meets, made with a seed: smooth scenes with edges and noise."""
import io
import random

import numpy as np
from PIL import Image


def scene(width, height, seed):
    """An RGB array with gradients, shapes and texture, so that embeddings of different scenes differ."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    x, y = x / max(width, 2), y / max(height, 2)
    out = np.empty((height, width, 3))
    for c in range(3):
        fx, fy, phase = rng.uniform(.5, 9, 3)
        out[..., c] = 128 + 90 * np.sin(fx * x * 6 + phase) * np.cos(fy * y * 6 + phase)
    for _ in range(6):
        cx, cy, r = rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(.05, .3)
        inside = (abs(x - cx) < r) & (abs(y - cy) < r * .7) if rng.random() < .5 else (x - cx) ** 2 + (y - cy) ** 2 < r * r
        out[inside] = rng.uniform(0, 255, 3)
    out += rng.normal(0, 8, out.shape)
    return np.clip(out, 0, 255).astype(np.uint8)


def upright_rgb(picture, alpha='white'):
    """What an encoder should see: 8-bit RGB, 16 bits scaled by 1/257, alpha composited on white or dropped."""
    if picture.mode.startswith('I;16') or picture.mode == 'I':
        grey = np.asarray(picture).astype(np.int64)
        return Image.fromarray(((grey + 128) // 257).astype(np.uint8)).convert('RGB')
    if alpha == 'white' and (picture.mode in ('RGBA', 'LA', 'PA') or 'transparency' in picture.info):
        rgba = np.asarray(picture.convert('RGBA')).astype(np.float64)
        a = rgba[..., 3:] / 255
        return Image.fromarray(np.floor(rgba[..., :3] * a + 255 * (1 - a) + .5).astype(np.uint8))
    return picture.convert('RGB')


def exif(orientation):
    data = Image.Exif()
    data[0x0112] = orientation
    return data.tobytes()


def variants(count, seed=0):
    """Yields (file name, file bytes, upright Pillow picture): `count` pictures over all modes in turn."""
    rng = random.Random(seed)
    kinds = (['jpeg', 'jpeg444', 'progressive', 'png', 'grey-jpeg', 'grey-png', 'palette', 'palette-clear', 'cmyk', 'deep-grey',
              'rgba', 'la', 'bilevel', 'webp', 'bmp', 'tiff', 'gif'] + [f'exif{i}' for i in range(1, 9)])
    for i in range(count):
        kind = kinds[i % len(kinds)]
        width, height = rng.choice([(500, 375), (375, 500), (640, 427), (224, 224), (256, 256), (64, 64), (97, 331), (1200, 800),
                                    (300, 301), (255, 1000), (33, 20)])
        rgb = scene(width, height, seed * 100_000 + i)
        picture, save = Image.fromarray(rgb), dict(format='PNG')
        clear = (np.add.outer(np.arange(height), np.arange(width)) * 3 % 256).astype(np.uint8)
        if kind == 'jpeg': save = dict(format='JPEG', quality=rng.choice([60, 85, 95]))
        elif kind == 'jpeg444': save = dict(format='JPEG', quality=92, subsampling=0)
        elif kind == 'progressive': save = dict(format='JPEG', quality=80, progressive=True)
        elif kind == 'grey-jpeg': picture, save = picture.convert('L'), dict(format='JPEG', quality=90)
        elif kind == 'grey-png': picture = picture.convert('L')
        elif kind == 'palette': picture = picture.quantize(64)
        elif kind == 'palette-clear':
            picture, save = picture.quantize(32), dict(format='PNG', transparency=5)
        elif kind == 'cmyk': picture, save = picture.convert('CMYK'), dict(format='JPEG', quality=90)
        elif kind == 'deep-grey':
            picture = Image.fromarray(rgb[..., 0].astype(np.uint16) * 256 + rgb[..., 1])
        elif kind == 'rgba': picture = Image.fromarray(np.dstack([rgb, clear]))
        elif kind == 'la': picture = Image.merge('LA', [picture.convert('L'), Image.fromarray(clear)])
        elif kind == 'bilevel': picture = picture.convert('1')
        elif kind == 'webp': save = dict(format='WEBP', lossless=True)
        elif kind == 'bmp': save = dict(format='BMP')
        elif kind == 'tiff': save = dict(format='TIFF', compression='tiff_lzw')
        elif kind == 'gif': picture, save = picture.quantize(200), dict(format='GIF')
        elif kind.startswith('exif'): save = dict(format='JPEG', quality=90, exif=exif(int(kind[4:])))
        data = io.BytesIO()
        picture.save(data, **save)
        stored = Image.open(io.BytesIO(data.getvalue()))
        stored.load()
        if kind.startswith('exif'):
            from PIL import ImageOps
            stored = ImageOps.exif_transpose(stored)
        yield f'{i:04}-{kind}.{save["format"].lower()}', data.getvalue(), stored


def write_records(path, inputs):
    """Pictures, each height x width x 3 bytes, as encode_tool reads them."""
    with open(path, 'wb') as out:
        for picture in inputs:
            picture = np.ascontiguousarray(picture, np.uint8)
            out.write(np.array(picture.shape[:2], np.uint32).tobytes() + picture.tobytes())
