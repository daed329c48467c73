"""Every command that writes, with what it needs, for the tests of what may go wrong with its output. A command is run in the test's
folder, and writes into the folder `work` there."""
import hashlib
import json
import shutil
from dataclasses import dataclass

import numpy as np
from PIL import Image

from cbirtest import BIN, need
from fake_encoder import FAKE, make_encoders, make_plugins
from faults import IndexFaultTest

WEIGHTS = bytes(range(256)) * 80


@dataclass
class Command:
    """`output`: the argument that names the first file, set or folder that it writes. `again`: statuses by which a rerun says that
    all is there already, and options that make it begin anew."""
    args: list
    output: str
    again: tuple = ((7,), ('--force',))


def blots(seed, width=160, height=120):
    """Rectangles of random colour: much to see, nothing twice."""
    random = np.random.default_rng(seed)
    picture = np.full((height, width, 3), 128, np.uint8)
    for _ in range(90):
        x, y, w, h = random.integers((0, 0, 4, 4), (width, height, 30, 30))
        picture[y:y + h, x:x + w] = random.integers(0, 256, 3)
    return Image.fromarray(picture)


class Writers(IndexFaultTest):
    def setUp(self):
        super().setUp()
        need(self, FAKE)
        self.work = self.dir / 'work'
        self.work.mkdir()
        self.env = make_encoders(self.dir)

    def use_vision(self):
        """The plug-ins of pictures beside the network."""
        for name in ('codecs', 'vision'):
            need(self, BIN.parent / f'lib/libcbir_{name}.so')
        self.env['CBIR_PLUGIN_DIR'] = make_plugins(self.dir / 'plugins', 'codecs', 'vision')

    def blots(self, *names):
        for i, name in enumerate(names):
            path = self.dir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            blots(i).save(path, quality=90)

    def answers(self):
        """Rankings, scores, duplicates."""
        for name, rows, seed in ('base', 300, 1), ('more', 200, 2):
            self.make_set(name, rows, seed)
        self.run_tool('cbir-index', 'build', 'base', '-o', 'a.cbir', '--type', 'flat')
        self.run_tool('cbir-index', 'build', 'more', '-o', 'b.cbir', '--type', 'flat')
        for name in 'a', 'b':
            self.run_tool('cbir-eval', 'labels', f'{name}.cbir', '--save', f'{name}.jsonl')
        shutil.copy(self.dir / 'a.jsonl', self.dir / 'same.jsonl')
        return [
            Command(['cbir-query', 'a.cbir', '--row', '1', '--row', '2', '-o', 'work/r.tsv'], 'work/r.tsv'),
            Command(['cbir-query', 'a.cbir', '--row', '1', '--format', 'html', '-o', 'work/r.html'], 'work/r.html'),
            Command(['cbir-eval', 'labels', 'a.cbir', '--save', 'work/s.jsonl', '--html', 'work/s.html', '--per-query', 'work/s.tsv'],
                    'work/s.jsonl'),
            Command(['cbir-eval', 'compare', 'a.jsonl', 'same.jsonl', '--html', 'work/c.html'], 'work/c.html'),
            Command(['cbir-eval', 'report', 'a.jsonl', '-o', 'work/p.html'], 'work/p.html'),
            Command(['cbir-dedup', 'a.cbir', '-t', '.6', '-o', 'work/d.tsv'], 'work/d.tsv'),
            Command(['cbir-dedup', 'a.cbir', '-t', '.6', '--format', 'html', '-o', 'work/d.html'], 'work/d.html'),
        ]

    def made_of_indexes(self):
        return [
            Command(['cbir-index', 'merge', 'a.cbir', 'b.cbir', '-o', 'work/m.cbir'], 'work/m.cbir'),
            Command(['cbir-index', 'export', 'a.cbir', '-o', 'work/e'], 'work/e'),
            Command(['cbir-index', 'augment', 'base', '-o', 'work/better'], 'work/better'),
            Command(['cbir-index', 'whiten', 'base', '-o', 'work/w'], 'work/w'),
        ]

    def of_pictures(self):
        """Matches, regions, doctored copies."""
        self.use_vision()
        self.blots('p/a.png', 'p/b.jpg')
        return [
            Command(['cbir-match', 'p/a.png', 'p/a.png', '-o', 'work/m.tsv', '--html', 'work/m.html'], 'work/m.tsv'),
            Command(['cbir-match', 'p/a.png', 'p/a.png', '-o', 'work/m.png'], 'work/m.png'),
            Command(['cbir-detect', '--proposals=grid', 'p', '-o', 'work/d.tsv'], 'work/d.tsv'),
            Command(['cbir-doctor', 'p', '-o', 'work/copies', '--attacks', 'mirror,crop', '--threads', '1'], 'work/copies'),
        ]

    def catalogue(self):
        """An item in a catalogue, and a folder of one more."""
        self.use_vision()
        self.blots('first/vase/front.png', 'second/lamp/front.png')
        self.run_tool('cbir-catalog', 'create', 'shop', '--model', 'blind', env=self.env)
        self.run_tool('cbir-catalog', 'add', 'shop', 'first', env=self.env)
        return Command(['cbir-catalog', 'identify', 'shop', 'first/vase/front.png', '--no-proposals', '-o', 'work/f.tsv', '--html',
                        'work/f.html'], 'work/f.tsv')

    def fetching(self):
        """A file of weights, from a place that needs no network."""
        (self.dir / 'place').write_bytes(WEIGHTS)
        (self.dir / 'tmp').mkdir()
        preset = json.loads((self.dir / 'presets/blind.json').read_text())
        preset['name'] = 'far'
        preset['weights'] = {'file': 'far.safetensors', 'licence': 'none', 'sha256': hashlib.sha256(WEIGHTS).hexdigest(),
                             'size': len(WEIGHTS), 'url': f'file://{self.dir}/place'}
        (self.dir / 'presets/far.json').write_text(json.dumps(preset))
        self.env |= {'CBIR_MODELS': str(self.work), 'TMPDIR': str(self.dir / 'tmp')}
        return Command(['cbir-models', 'fetch', 'far'], 'work/far.safetensors', again=((0,), ()))

    def contents(self):
        """Of all files in `work`, by name."""
        return {str(path.relative_to(self.work)): path.read_bytes()
                for path in sorted(self.work.rglob('*')) if path.is_file() and path.name != 'ballast'}

    def empty(self):
        for path in self.work.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
