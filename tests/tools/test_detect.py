"""cbir-detect, and cbir-extract --regions. Proposals need no weights; the encoder is that of tests/fake_nets, which sees colours.
Detectors by networks are compared with the original by tests/parity."""
import json

import numpy as np
from PIL import Image, ImageDraw

from cbirtest import BIN, ToolTest, main
from fake_encoder import FAKE, make_encoders

FILES = ('npy', 'rows.jsonl', 'json', 'failed.jsonl')
RED, GREY = (220, 30, 30), (120, 120, 120)


def scene(path, box=None, size=(320, 240), seed=0):
    """Grey with a little noise, and a red disc that fills the box, if there is one."""
    noise = np.random.default_rng(seed).integers(-8, 9, (size[1], size[0], 1))
    picture = Image.fromarray(np.uint8(np.clip(np.array(GREY) + noise, 0, 255)))
    if box:
        ImageDraw.Draw(picture).ellipse(box, fill=RED)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, quality=92)


def overlap(a, b):
    sides = [max(0, min(a[i + 2], b[i + 2]) - max(a[i], b[i])) for i in (0, 1)]
    both = sides[0] * sides[1]
    return both / sum((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)) if not both else \
        both / (sum((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)) - both)


class Wrong(ToolTest):
    def test_usage(self):
        scene(self.dir / 'a.jpg')
        for args in ([], ['a.jpg'], ['--proposals'], ['--proposals', '--model', 'yolov5s', 'a.jpg'], ['--proposals=magic', 'a.jpg'],
                     ['--proposals', '--classes', 'car', 'a.jpg'], ['--proposals', '--files-from', '-', 'a.jpg'],
                     ['--proposals', '-0', 'a.jpg'], ['--proposals', '--files-from', '-', '--hidden'],
                     ['--proposals', '--max', '0', 'a.jpg'], ['--model', 'yolov5s', '--min-confidence', '2', 'a.jpg'],
                     ['--model', 'yolov5s', '--input-size', '7', 'a.jpg'], ['--proposals', '--min-confidence', '.3', 'a.jpg']):
            with self.subTest(args):
                self.error('cbir-detect', *args, expect=2)
        for args in (['--detector', 'yolov5n', 'a.jpg'], ['--whole', 'always', 'a.jpg'], ['--max-regions', '3', 'a.jpg'],
                     ['--regions', 'grid', '--detector', 'yolov5n', 'a.jpg'], ['--regions', 'grid', '--classes', 'car', 'a.jpg'],
                     ['--regions', 'grid', '--boxes', '-'], ['--regions', 'grid', '--text-file', '-'], ['--classes', 'car', 'a.jpg']):
            with self.subTest(args):
                self.error('cbir-extract', '-o', 'set', *args, expect=2)

    def test_what_is_missing(self):
        scene(self.dir / 'a.jpg')
        self.assertIn('missing: No such file', self.error('cbir-detect', '--proposals', 'missing', expect=4))
        self.assertIn('the list is empty', self.error('cbir-detect', '--proposals', '--files-from', '-', expect=4))
        nowhere = {'CBIR_MODELS': str(self.dir / 'models')}
        for model, message in (('yolov5s', 'cbir-models fetch yolov5s'), ('nobody', 'known are: '), ('none.pt', 'none.pt'),
                               ('none.json', 'none.json')):
            with self.subTest(model):
                self.assertIn(message, self.error('cbir-detect', '--model', model, 'a.jpg', expect=4, env=nowhere))
        self.error('cbir-detect', '--model', 'efficientnet-lite0', 'a.jpg', expect=6)
        self.error('cbir-extract', '-o', 'set', '--model', 'yolov5s', 'a.jpg', expect=6)

    def test_an_output_is_not_replaced(self):
        scene(self.dir / 'a.jpg')
        (self.dir / 'out').write_text('mine')
        self.error('cbir-detect', '--proposals', 'a.jpg', '-o', 'out', expect=7)
        self.assertEqual((self.dir / 'out').read_text(), 'mine')
        self.out('cbir-detect', '--proposals', 'a.jpg', '-o', 'out', '--force')
        self.assertNotEqual((self.dir / 'out').read_text(), 'mine')


class Weights(ToolTest):
    """Files that are no detector; needs the plug-in with the networks, and PyTorch to write them."""

    def setUp(self):
        super().setUp()
        if not (BIN.parent / 'lib/libcbir_nets.so').exists():
            self.skipTest('built without the networks')
        try:
            import torch
        except ImportError:
            self.skipTest('PyTorch is not here')
        self.torch = torch
        scene(self.dir / 'a.jpg')

    def fails(self, expect, text):
        message = self.error('cbir-detect', '--model', 'x.pt', 'a.jpg', expect=expect)
        self.assertIn('x.pt', message)
        self.assertIn(text, message)

    def test_of_something_else(self):
        torch, path = self.torch, self.dir / 'x.pt'
        path.write_bytes(b'')
        self.fails(6, 'the file is empty')
        torch.save({'fc.weight': torch.zeros(3, 3)}, path)
        self.fails(6, 'model.0.conv.weight is missing')
        torch.save({'model.0.conv.conv.weight': torch.zeros(3, 3)}, path)
        self.fails(6, 'Focus')
        torch.save({'model.0.conv.weight': torch.zeros(16, 3, 6, 6)}, path)
        self.fails(6, 'no layer Detect')
        torch.save({'model.0.conv.weight': torch.zeros(16, 3, 6, 6), 'model.24.anchors': torch.zeros(3, 3, 2)}, path)
        self.fails(6, 'model.0.bn.weight')
        whole = path.read_bytes()
        path.write_bytes(whole[:len(whole) // 2])
        self.fails(5, 'x.pt')

    def test_numbers_that_are_none(self):
        torch = self.torch
        torch.save({'model.0.conv.weight': torch.full((16, 3, 6, 6), float('nan')), 'model.24.anchors': torch.zeros(3, 3, 2)},
                   self.dir / 'x.pt')
        self.fails(5, 'NaN')

    def test_no_onnx_file(self):
        if not (BIN.parent / 'lib/libcbir_onnx.so').exists():
            self.skipTest('built without ONNX')
        (self.dir / 'x.onnx').write_bytes(b'not an ONNX file')
        self.error('cbir-detect', '--model', 'x.onnx', 'a.jpg', expect=5)


class Photos(ToolTest):
    """Two pictures with a disc, and one without anything."""
    BOX = (90, 60, 210, 180)

    def setUp(self):
        super().setUp()
        scene(self.dir / 'photos/a.jpg', self.BOX)
        scene(self.dir / 'photos/b.jpg', (20, 100, 110, 190), seed=1)
        Image.new('RGB', (200, 100), GREY).save(self.dir / 'photos/blank.jpg')


class Proposals(Photos):
    def lines(self, *args, **kw):
        return [line.split('\t') for line in self.out('cbir-detect', *args, **kw).splitlines()]

    def test_the_thing_comes_first(self):
        lines = self.lines('--proposals', 'photos')
        self.assertEqual({line[1] for line in lines}, {'photos/a.jpg', 'photos/b.jpg'})  # a blank picture has none
        first = lines[0]
        self.assertEqual(first[:2] + first[6:7], ['photos/a.jpg#1', 'photos/a.jpg', ''])
        self.assertEqual(len(first), 8)
        self.assertGreater(overlap([float(x) for x in first[2:6]], self.BOX), .7)
        self.assertEqual(len(self.lines('--proposals', '--max', '3', 'photos/a.jpg')), 3)
        self.assertGreater(len(self.lines('--proposals=grid', 'photos/blank.jpg')), 20)

    def test_formats_and_lists(self):
        lines = self.lines('--proposals', 'photos/a.jpg', 'photos/b.jpg')
        objects = [json.loads(line) for line in self.out('cbir-detect', '--proposals', '--format', 'jsonl', '--files-from', '-', '-0',
                                                         stdin=b'photos/a.jpg\0photos/b.jpg\0').splitlines()]
        self.assertEqual([[o['id'], o['path'], *(f'{x:.2f}' for x in o['box']), '', f'{o["confidence"]:.6f}'] for o in objects], lines)
        self.assertNotIn('class', objects[0])
        self.assertEqual(lines, self.lines('--proposals', '--threads', '1', '--files-from', '-', stdin=b'photos/a.jpg\nphotos/b.jpg\n'))

    def test_a_bad_picture_is_skipped(self):
        (self.dir / 'photos/aa.jpg').write_bytes((self.dir / 'photos/a.jpg').read_bytes()[:900])
        done = self.run_tool('cbir-detect', '--proposals', '--format', 'jsonl', 'photos', expect=3)
        self.assertIn(b'photos/aa.jpg: decode: ', done.stderr)
        failed = [o for o in map(json.loads, done.stdout.splitlines()) if 'error' in o]
        self.assertEqual([(o['path'], o['stage']) for o in failed], [('photos/aa.jpg', 'decode')])
        self.run_tool('cbir-detect', '--proposals', 'photos/aa.jpg', expect=4)

    def test_names_that_are_no_text(self):
        name = b'photos/\xff\n.jpg'
        with open(self.dir.__fspath__().encode() + b'/' + name, 'wb') as file:
            file.write((self.dir / 'photos/a.jpg').read_bytes())
        line = self.run_tool('cbir-detect', '--proposals', '--max', '1', name).stdout.decode()
        self.assertTrue(line.startswith('photos/\\xff\\n.jpg#1\tphotos/\\xff\\n.jpg\t'), line)


class Regions(Photos):
    """cbir-extract --regions."""

    def setUp(self):
        super().setUp()
        if not FAKE.exists():
            self.skipTest(f'{FAKE} is not here')
        self.env = make_encoders(self.dir)

    def extract(self, name, *args, expect=0):
        return self.run_tool('cbir-extract', '-o', name, '--model', 'colours', *args, env=self.env, expect=expect)

    def rows(self, name):
        return [json.loads(line) for line in (self.dir / f'{name}.rows.jsonl').read_text().splitlines()]

    def same(self, a, b, parts=FILES):
        for part in parts:
            self.assertEqual((self.dir / f'{a}.{part}').read_bytes(), (self.dir / f'{b}.{part}').read_bytes(), part)

    def test_a_row_a_region(self):
        self.extract('set', '--regions', 'proposals', '--max-regions', '5', 'photos')
        rows = self.rows('set')
        self.assertEqual([row['path'] for row in rows][-1], 'photos/blank.jpg')  # without regions: the whole picture
        self.assertNotIn('box', rows[-1])
        first = rows[0]
        self.assertEqual((first['path'], first['picture'], first['label']), ('photos/a.jpg#1', 'photos/a.jpg', 'photos'))
        self.assertGreater(overlap(first['box'], self.BOX), .7)
        vectors = np.load(self.dir / 'set.npy')
        self.assertEqual(len(vectors), len(rows))
        self.assertGreater(vectors[0][0], vectors[-1][0] + .1)  # the disc is redder than a grey picture
        self.assertEqual(json.loads((self.dir / 'set.json').read_text())['rows'], len(rows))

    def test_the_whole_picture(self):
        names = {}
        for whole in 'empty', 'always', 'never':
            self.extract(whole, '--regions', 'proposals', '--max-regions', '2', '--whole', whole, 'photos')
            names[whole] = [row['path'].removeprefix('photos/') for row in self.rows(whole)]
        regions = ['a.jpg#1', 'a.jpg#2', 'b.jpg#1', 'b.jpg#2']
        self.assertEqual(names['never'], regions)
        self.assertEqual(names['empty'], regions + ['blank.jpg'])
        self.assertEqual(names['always'], ['a.jpg'] + regions[:2] + ['b.jpg'] + regions[2:] + ['blank.jpg'])

    def test_the_same_as_the_boxes_of_cbir_detect(self):
        self.extract('regions', '--regions', 'proposals', '--max-regions', '7', '--whole', 'never', 'photos')
        boxes = self.run_tool('cbir-detect', '--proposals', '--max', '7', 'photos').stdout
        (self.dir / 'boxes.tsv').write_bytes(boxes)
        self.extract('boxes', '--boxes', 'boxes.tsv')
        self.same('regions', 'boxes', ('npy',))
        without = [[{k: v for k, v in row.items() if k != 'seq'} for row in self.rows(name)] for name in ('regions', 'boxes')]
        self.assertEqual(*without)

    def test_threads_and_batches_change_nothing(self):
        self.extract('one', '--regions', 'grid', '--threads', '1', 'photos')
        self.extract('two', '--regions', 'grid', '--threads', '2', 'photos')
        self.same('one', 'two')

    def test_a_run_that_was_stopped_goes_on(self):
        for i in range(9):
            scene(self.dir / f'photos/c{i}.jpg', (30 + 9 * i, 40, 130 + 9 * i, 150), seed=i)
        (self.dir / 'photos/d.jpg').write_bytes(b'\xff\xd8\xff nothing more')
        arguments = ['--regions', 'proposals', '--max-regions', '5', '--batch', '2', '--label', 'none', 'photos']
        self.extract('whole', *arguments, expect=3)
        self.extract('part', *arguments, '--max-failures', '0', expect=4)
        self.assertFalse((self.dir / 'part.json').exists())
        self.assertIn(b'going on after', self.extract('part', *arguments, '--verbose', expect=3).stderr)
        self.same('whole', 'part')
        self.assertIn(b'nothing to do', self.extract('part', *arguments, '--verbose').stderr)
        others = [a if a != '5' else '6' for a in arguments]
        self.assertIn(b'another detector, or with other options', self.extract('part', *others, expect=7).stderr)
        self.assertIn(b'rows are regions', self.extract('part', '--batch', '2', '--label', 'none', 'photos', expect=7).stderr)

    REGIONS = ['--regions', 'proposals', '--max-regions', '3', '--batch', '2', 'photos']

    def test_an_update_makes_what_a_fresh_run_would(self):
        for i in range(5):
            scene(self.dir / f'photos/c{i}.jpg', (30 + 9 * i, 40, 130 + 9 * i, 150), seed=i)
        (self.dir / 'photos/broken.jpg').write_bytes(b'\xff\xd8\xff nothing more')
        self.extract('set', *self.REGIONS, '--update', expect=3)
        self.assertIn(b'nothing to do', self.extract('set', *self.REGIONS, '--update', '--verbose').stderr)
        before = {row['path'] for row in self.rows('set')}
        (self.dir / 'photos/c1.jpg').rename(self.dir / 'photos/aa.jpg')   # moved, with all its regions
        (self.dir / 'photos/c2.jpg').unlink()
        scene(self.dir / 'photos/c3.jpg', (100, 60, 220, 180), seed=77)   # changed
        scene(self.dir / 'photos/d.jpg', (60, 60, 180, 180), seed=78)     # new
        done = self.extract('set', *self.REGIONS, '--update', '--json', expect=3)
        report = json.loads(done.stdout)
        self.assertEqual({key: report[key] for key in ('added', 'changed', 'moved', 'deleted', 'unchanged')},
                         {'added': 1, 'changed': 1, 'moved': 1, 'deleted': 1, 'unchanged': 6})
        rows = self.rows('set')
        again = [row for row in rows if row['picture' if 'picture' in row else 'path'] in ('photos/c3.jpg', 'photos/d.jpg')]
        self.assertEqual(report['encoded'], len(again))  # nothing else went through the network
        self.assertEqual({row['path'] for row in rows if row['path'].startswith('photos/aa')},
                         {path.replace('c1', 'aa') for path in before if path.startswith('photos/c1')})
        self.extract('fresh', *self.REGIONS, expect=3)
        self.same('set', 'fresh')
        self.assertIn(b'nothing to do', self.extract('set', *self.REGIONS, '--update', '--verbose').stderr)

    def test_an_update_needs_a_row_of_every_picture(self):
        message = self.error('cbir-extract', '-o', 'set', '--model', 'colours', *self.REGIONS, '--whole', 'never', '--update', env=self.env, expect=2)
        self.assertIn('no row to know it by', message)

    def test_parts_of_a_list_are_joined(self):
        for i in range(6):
            scene(self.dir / f'photos/c{i}.jpg', (30 + 9 * i, 40, 130 + 9 * i, 150), seed=i)
        self.extract('whole', *self.REGIONS)
        for part in '1/3', '2/3', '3/3':
            self.extract('part', *self.REGIONS, '--shard', part)
        self.run_tool('cbir-index', 'build', 'whole', '-o', 'whole.cbir')
        self.run_tool('cbir-index', 'build', 'part.3-of-3', 'part.1-of-3', 'part.2-of-3', '-o', 'parts.cbir')
        self.assertEqual((self.dir / 'parts.cbir').read_bytes(), (self.dir / 'whole.cbir').read_bytes())

    def test_an_estimate_counts_rows_by_its_trial(self):
        size = {}
        for most in '1', '6':
            done = self.extract('set', '--regions', 'grid', '--max-regions', most, '--estimate', '--json', 'photos')
            size[most] = json.loads(done.stdout)['disk']
        self.assertFalse((self.dir / 'set.json').exists())
        self.extract('set', '--regions', 'grid', '--max-regions', '6', 'photos')
        wrote = sum((self.dir / f'set.{part}').stat().st_size for part in ('npy', 'rows.jsonl'))
        self.assertGreater(size['6'], size['1'])
        self.assertGreaterEqual(size['6'], wrote)

    def test_results_show_the_box(self):
        self.extract('set', '--regions', 'proposals', '--max-regions', '4', '--whole', 'never', 'photos')
        self.run_tool('cbir-index', 'build', 'set', '-o', 'set.cbir')
        results = [json.loads(line) for line in self.run_tool('cbir-query', 'set.cbir', '--row', '0', '-k', '3', '--format', 'jsonl',
                                                              env=self.env).stdout.splitlines()]
        row = next(row for row in self.rows('set') if row['path'] == results[0]['path'])
        self.assertEqual((results[0]['picture'], results[0]['box']), (row['picture'], row['box']))
        page = self.run_tool('cbir-query', 'set.cbir', '--row', '0', '-k', '3', '--format', 'html', env=self.env).stdout.decode()
        self.assertEqual(page.count('<rect class="part"'), 3)


if __name__ == '__main__':
    main()
