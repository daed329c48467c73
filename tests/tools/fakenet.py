"""The network of tests/fake_nets for tests of the programs: it sees mean colours, needs no weights, and is as slow as a test
wants it to be, or stands still."""
import json
import os
import time

import numpy as np
from PIL import Image

from cbirtest import ToolTest
from fake_encoder import FAKE, preset, safetensors

FILES = ('.npy', '.rows.jsonl', '.json', '.failed.jsonl')


def colours(seed, width=24, height=18):
    """A small picture; each seed gives another."""
    small = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.BICUBIC)


class FakeNetTest(ToolTest):
    """Presets `colours`, at once, and `slow`, which takes 100 ms a batch."""

    def setUp(self):
        super().setUp()
        if not FAKE.exists():
            self.skipTest(f'{FAKE} is not here')
        home = self.dir / '.net'  # hidden: no walk enters it
        for name, tensors in (('colours', {'other': 1}), ('slow', {'delay': 100})):
            for folder in ('models', 'presets'):
                (home / folder).mkdir(parents=True, exist_ok=True)
            (home / 'models' / f'{name}.safetensors').write_bytes(safetensors(**tensors))
            (home / 'presets' / f'{name}.json').write_text(json.dumps(preset(name)))
        self.env = {'CBIR_PLUGIN_DIR': str(FAKE), 'CBIR_MODELS': str(home / 'models'),
                    'CBIR_PRESETS': str(home / 'presets'), 'XDG_CACHE_HOME': str(home / 'cache'),
                    'CBIR_FAKE_HOLD': str(home / 'hold'), 'CBIR_FAKE_LOG': str(home / 'log')}

    def run_tool(self, *args, **kw):
        return super().run_tool(*args, **{**kw, 'env': {**self.env, **(kw.get('env') or {})}})

    def environ(self):
        return {**os.environ, **self.env}

    def hold(self, first, last=10 ** 9):
        """From its call `first` to its call `last`, the network of any process that is started now does not return, until
        release(). So what is done to a run meets it at work, however fast the machine is."""
        (self.dir / '.net/hold').write_text(f'{first} {last}')
        (self.dir / '.net/hold.held').unlink(missing_ok=True)

    def held(self):
        """Whether a call has come that does not return."""
        return (self.dir / '.net/hold.held').exists()

    def release(self):
        (self.dir / '.net/hold').unlink()

    def encoded(self):
        """Pictures that went through the network, since this was last asked."""
        log = self.dir / '.net/log'
        counts = [int(line) for line in log.read_text().split()] if log.exists() else []
        log.unlink(missing_ok=True)
        return sum(counts)

    def wait_for(self, process, condition):
        """Until the condition holds, while the process is at work."""
        deadline = time.monotonic() + 300
        while not condition():
            self.assertIsNone(process.poll(), 'the run ended before what was waited for')
            self.assertLess(time.monotonic(), deadline, 'waited in vain')
            time.sleep(.002)

    def put(self, name, seed, age=100):
        """A picture, changed `age` seconds ago."""
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        colours(seed).save(path, quality=90)
        self.set_age(name, age)

    def set_age(self, name, age):
        at = time.time_ns() - int(age * 1e9)
        os.utime(self.dir / name, ns=(at, at))

    def rows(self, name):
        return [json.loads(line) for line in (self.dir / f'{name}.rows.jsonl').read_text().splitlines()]

    def failed(self, name):
        return [json.loads(line) for line in (self.dir / f'{name}.failed.jsonl').read_text().splitlines()]

    def content(self, name):
        return [(self.dir / f'{name}{suffix}').read_bytes() for suffix in FILES]
