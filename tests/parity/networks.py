"""Convolutional networks with seeded random weights, and what their embeddings must be: torchvision's models, and for
networks trained for retrieval a plain statement of cnnimageretrieval-pytorch (Radenovic, Tolias and Chum, 2018)."""
import numpy as np
import torch
import torch.nn.functional as F
import torchvision

import pictures

MEAN, STD = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])


def network_input(picture):
    """An 8-bit picture, height x width x 3, as torchvision's models take it."""
    return ((torch.from_numpy(np.array(picture)).float() - MEAN) / STD).permute(2, 0, 1)[None].contiguous()


def branch_ends(model):
    """The last norm of each branch that a residual network adds."""
    for part in model.modules():
        if isinstance(part, torchvision.models.resnet.Bottleneck):
            yield part.bn3
        elif isinstance(part, torchvision.models.resnet.BasicBlock):
            yield part.bn2
        elif getattr(part, 'use_res_connect', False):
            yield part.block[-1][1]


def random_model(name, seed, branch=1, **arguments):
    """A torchvision model whose activations neither vanish nor explode. Batch norm gets random scales and shifts, and
    statistics near those of what goes through it. `branch` scales what residual branches add: training leaves it small,
    so that a rounding error is not multiplied by each block."""
    torch.manual_seed(seed)
    if name == 'vgg16':
        arguments['init_weights'] = False
    model = getattr(torchvision.models, name)(weights=None, **arguments)
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    with torch.no_grad():
        for conv in model.modules():
            if isinstance(conv, torch.nn.Conv2d) and conv.bias is not None:
                conv.weight.normal_(0, (2 / conv.weight[0].numel()) ** .5)
                conv.bias.normal_(0, .2)
        for norm in norms:
            norm.weight.uniform_(.5, 1.5)
            norm.bias.normal_(0, .3)
            norm.momentum = 1  # the statistics become those of the last batch
        for norm in branch_ends(model):
            norm.weight *= branch
            norm.bias *= branch
        if norms:
            model.train()(torch.cat([network_input(pictures.scene(96, 96, seed * 100 + i)) for i in range(8)]))
        for norm in norms:
            norm.running_mean += torch.randn_like(norm.running_mean) * norm.running_var.sqrt() * .1
            norm.running_var *= torch.empty_like(norm.running_var).uniform_(.8, 1.25)
    return model.eval()


def resnet_features(model, x):
    x = model.maxpool(model.relu(model.bn1(model.conv1(x))))
    return model.layer4(model.layer3(model.layer2(model.layer1(x))))


def pooled(model, x):
    """What is averaged before the classifier."""
    return (resnet_features(model, x) if hasattr(model, 'layer4') else model.features(x)).mean((2, 3))


def before_classifier(model, x):
    """MobileNetV3's layer before the last: linear, then hardswish."""
    return F.hardswish(model.classifier[0](pooled(model, x)))


def fc6(model, x):
    return F.relu(model.classifier[0](model.avgpool(model.features(x)).flatten(1)))


def unit(x):
    return x / (x.norm(dim=1, keepdim=True) + 1e-6)


class Retrieval:
    """A ResNet up to its last convolution, GeM with a learned exponent, length 1; then perhaps a learned linear layer; of
    several scales the average of vectors of length 1; then perhaps a whitening that was fitted afterwards."""

    def __init__(self, model, p, layer=None, whitening=None):
        self.model, self.p, self.layer, self.whitening = model, p, layer, whitening or {}

    def checkpoint(self):
        """As the project saves it: the children of the ResNet, but the last two, in an nn.Sequential."""
        children = list(self.model.children())[:-2]
        state = {f'features.{i}.{name}': value for i, child in enumerate(children) for name, value in child.state_dict().items()}
        state['pool.p'] = torch.tensor([self.p])
        if self.layer:
            state.update({'whiten.' + name: value for name, value in self.layer.state_dict().items()})
        meta = {'architecture': 'resnet', 'pooling': 'gem', 'outputdim': 2048, 'mean': [.485, .456, .406]}
        if self.whitening:
            meta['Lw'] = {'retrieval-SfM-30k': {'ss': {'m': np.zeros((2048, 1)), 'P': np.eye(2048)}},
                          'retrieval-SfM-120k': self.whitening}
        return {'meta': meta, 'state_dict': state}

    def pooled(self, x):
        return unit(resnet_features(self.model, x).clamp(min=1e-6).pow(self.p).mean((2, 3)).pow(1 / self.p))

    def __call__(self, x, scales=(1,)):
        total = 0
        for scale in scales:
            scaled = x if scale == 1 else F.interpolate(x, scale_factor=scale, mode='bilinear', align_corners=False)
            vector = self.pooled(scaled)
            total = total + (unit(self.layer(vector)) if self.layer else vector)
        vector = unit(total)
        if self.whitening:
            fitted = self.whitening['ms' if len(scales) > 1 else 'ss']
            vector = torch.from_numpy((vector.numpy() - fitted['m'].T) @ fitted['P'].T)
        return unit(vector)
