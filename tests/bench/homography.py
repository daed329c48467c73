"""How near the homography between two pictures comes to the true one, for each feature: mean distance of the corners of the first
picture, in pixels of the second. A table in Markdown.

usage: CBIR_BIN=build/release/bin /usr/bin/python3 tests/bench/homography.py FOLDER
FOLDER holds graf1.png, graf3.png and H1to3p.xml, as OpenCV's sample data has them. Features whose weights are not here are left out, by
name. Medians over five seeds of the estimation; seconds are of one whole call of cbir-match.
"""
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

BIN = Path(os.environ.get('CBIR_BIN', 'build/release/bin'))
SEEDS = range(5)
CHOICES = [('sift', 'nn'), ('orb', 'nn'), ('xfeat', 'nn'), ('xfeat', 'lighterglue'), ('aliked', 'nn'), ('aliked', 'lightglue'),
           ('superpoint', 'nn'), ('superpoint', 'superglue')]


def project(homography, points):
    at = homography @ np.vstack([points, np.ones(points.shape[1])])
    return at[:2] / at[2]


def main():
    folder = Path(sys.argv[1])
    text = (folder / 'H1to3p.xml').read_text()
    true = np.array([float(x) for x in re.search(r'<data>(.*?)</data>', text, re.S).group(1).split()]).reshape(3, 3)
    width, height = Image.open(folder / 'graf1.png').size
    corners = np.array([[0, width - 1, width - 1, 0], [0, 0, height - 1, height - 1]], float)
    print('| features | matcher | keypoints | matches | inliers | mean corner error, pixels | worst of 5 seeds | s |')
    print('| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |')
    for features, matcher in CHOICES:
        errors, seconds, found = [], [], {}
        for seed in SEEDS:
            start = time.monotonic()
            done = subprocess.run([BIN / 'cbir-match', folder / 'graf1.png', folder / 'graf3.png', '--features', features, '--matcher',
                                   matcher, '--seed', str(seed), '--format', 'jsonl'], capture_output=True, text=True)
            seconds.append(time.monotonic() - start)
            if done.returncode != 0:
                break
            found = json.loads(done.stdout)
            at = project(np.array(found['transform']).reshape(3, 3), corners) if found['transform'] else np.full((2, 4), np.inf)
            errors.append(np.linalg.norm(at - project(true, corners), axis=0).mean())
        if not errors:
            print(f'left out: {features}, {matcher}: {done.stderr.strip()}', file=sys.stderr)
            continue
        print(f"| {features} | {matcher} | {found['keypoints_a']}, {found['keypoints_b']} | {found['matches']} | {found['inliers']} | "
              f'{np.median(errors):.2f} | {max(errors):.2f} | {np.median(seconds):.2f} |')


if __name__ == '__main__':
    main()
