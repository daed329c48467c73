"""dataloader.py ONNX LIST OUT [BATCH [WORKERS]]: the careful Python script that cbir-extract is compared with.

Reads the pictures that LIST names, a path a line, with PyTorch's DataLoader, Pillow and torchvision's transforms in worker
processes, runs them through ONNX Runtime on all processors, and saves unit vectors as .npy. Pixels travel between processes
as bytes; the network normalises them. Prints pictures a second, without what starting and importing took.
"""
import os
import sys
import time

import numpy as np
import onnxruntime
import torch
from PIL import Image
from torchvision import transforms

SIZE = 256, 224  # short side resized to, crop


class Pictures(torch.utils.data.Dataset):
    def __init__(self, paths):
        self.paths = paths
        self.transform = transforms.Compose([transforms.Resize(SIZE[0], transforms.InterpolationMode.BICUBIC),
                                             transforms.CenterCrop(SIZE[1]), transforms.PILToTensor()])

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        with Image.open(self.paths[i]) as picture:
            return self.transform(picture.convert('RGB'))


def main(onnx, listed, out, batch=16, workers=2):
    torch.set_num_threads(1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    session = onnxruntime.InferenceSession(onnx, options, providers=['CPUExecutionProvider'])
    paths = open(listed).read().splitlines()
    rows = []
    start = time.perf_counter()
    for pictures in torch.utils.data.DataLoader(Pictures(paths), batch_size=int(batch), num_workers=int(workers),
                                                prefetch_factor=4):
        rows.append(session.run(None, {'pictures': pictures.numpy()})[0])
    vectors = np.concatenate(rows)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.save(out, vectors)
    print(f'{len(paths) / (time.perf_counter() - start):.1f}')


if __name__ == '__main__':
    main(*sys.argv[1:])
