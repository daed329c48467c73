#!/usr/bin/env python3
"""photos.py FOLDER OUT COUNT: COUNT pictures of FOLDER as photographs of 500 x 375, JPEG at quality 90."""
import sys
from pathlib import Path

from PIL import Image, ImageOps

source, out, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
files = sorted(p for p in source.rglob('*') if p.suffix.lower() in ('.jpg', '.jpeg', '.png'))
out.mkdir(parents=True, exist_ok=True)
for i in range(count):
    picture = Image.open(files[i * len(files) // count]).convert('RGB')
    ImageOps.fit(picture, (500, 375), Image.BICUBIC).save(out / f'{i:06}.jpg', quality=90)
