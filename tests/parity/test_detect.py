"""YOLOv5 beside its own model code (the package yolov5-sp), with seeded random weights: the same boxes in the same pictures."""
import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tools'))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from cbirtest import BIN, ToolTest, main, peer_python
import pictures

PEER = Path(__file__).resolve().parent / 'yolov5_peer.py'
SIZES = [(640, 480), (500, 375), (333, 517), (1280, 960), (90, 61)]  # as it is, up, upright, to the half, small


class Detectors(ToolTest):
    def setUp(self):
        super().setUp()
        self.python = peer_python(self, 'detect')
        self.names = [f'{i}.png' for i in range(len(SIZES))]
        for i, (name, size) in enumerate(zip(self.names, SIZES)):
            Image.fromarray(pictures.scene(*size, 40 + i)).save(self.dir / name)

    def peer(self, *args):
        done = subprocess.run([self.python, PEER, *map(str, args)], cwd=self.dir, capture_output=True, text=True, timeout=600)
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        return done.stdout

    def make(self, name, classes, seed):
        self.peer('make', name, classes, seed, 'weights.pt', *self.names)

    def theirs(self, size=640, square='rectangle', confidence=.25, most=300):
        return [json.loads(line) for line in self.peer('detect', 'weights.pt', size, square, confidence, .45, most, *self.names).splitlines()]

    def ours(self, *args, model='weights.pt'):
        found = {name: [] for name in self.names}
        for line in self.out('cbir-detect', '--model', model, '--format', 'jsonl', *args, *self.names).splitlines():
            box = json.loads(line)
            found[box['path']].append(box)
        return [found[name] for name in self.names]

    def same(self, ours, theirs, pixels=.5, least=60):
        """Every box has its twin: of the same class, equally sure, no corner farther off. In a hundred there may be one without:
        what lies at a threshold, of confidence or overlap, a rounding error puts on either side."""
        total, lonely, worst = 0, 0, 0
        for found, wanted in zip(ours, theirs):
            found = [([*box['box'], box['confidence']], box['class_id']) for box in found]
            wanted = [(box[:5], box[5]) for box in wanted]
            for boxes, others in ((found, wanted), (wanted, found)):
                for box, kind in boxes:
                    if min(box[2] - box[0], box[3] - box[1]) < .05:  # narrower than our two decimals tell
                        continue
                    near = [np.abs(np.array(other[:4]) - box[:4]).max() for other, its in others if its == kind and abs(other[4] - box[4]) < 1e-3]
                    distance = min(near, default=np.inf)
                    total += 1
                    if distance > pixels:
                        lonely += 1
                    else:
                        worst = max(worst, distance)
            self.assertEqual([c for *_, c in (box for box, _ in found)], sorted((c for *_, c in (box for box, _ in found)), reverse=True))
        print(f'{self.id()}: {total / 2:.0f} boxes, corners differ by {worst:.3f} pixels at most, {lonely} without a twin', file=sys.stderr)
        self.assertGreater(total, 2 * least)
        self.assertLessEqual(lonely, total * .01)

    def test_n_of_other_classes(self):
        self.make('n', 7, 1)
        ours, theirs = self.ours(), self.theirs()
        self.same(ours, theirs)
        self.assertEqual({(b['class_id'], b['class']) for boxes in ours for b in boxes} - {(i, f'class {i} é') for i in range(7)}, set())
        with self.subTest('a smaller input'):
            self.same(self.ours('--input-size', '320'), self.theirs(size=320), least=10)
        with self.subTest('other thresholds'):
            self.same(self.ours('--min-confidence', '.4', '--max', '9'), self.theirs(confidence=.4, most=9), least=10)
        with self.subTest('some classes'):
            some = self.ours('--classes', 'class 2 é,5')
            self.assertEqual({b['class_id'] for boxes in some for b in boxes}, {2, 5})
            for boxes, every in zip(some, ours):  # of all classes, 300 may have been more
                wanted = [{**b, 'id': f"{b['path']}#{i + 1}"} for i, b in enumerate(b for b in every if b['class_id'] in (2, 5))]
                self.assertEqual(boxes[:len(wanted)], wanted)
        message = self.error('cbir-detect', '--model', 'weights.pt', '--classes', 'cat', *self.names, expect=6)
        self.assertIn("knows no class 'cat'; known are: class 0 é, ", message)

    def test_s(self):
        self.make('s', 80, 2)
        self.same(self.ours(), self.theirs())

    def test_n6_for_large_pictures(self):
        self.make('n6', 3, 3)
        self.same(self.ours('--input-size', '640'), self.theirs(size=640, square='p6'), least=10)

    def test_onnx(self):
        if not (BIN.parent / 'lib/libcbir_onnx.so').exists():
            self.skipTest('built without ONNX')
        self.make('n', 7, 4)
        theirs = self.theirs(size=320, square='square')
        for layout in 'v5', 'v8':
            self.peer('export', 'weights.pt', 320, layout, f'{layout}.onnx')
            with self.subTest(layout):
                self.same(self.ours(model=f'{layout}.onnx'), theirs, least=10)
        self.assertIn('takes pictures of 320 x 320',
                      self.error('cbir-detect', '--model', 'v5.onnx', '--input-size', '640', *self.names, expect=6))


if __name__ == '__main__':
    warnings.simplefilter('ignore')
    main()
