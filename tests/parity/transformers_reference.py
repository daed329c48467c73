"""CLIP and DINOv2 stated in plain PyTorch, on tensors of the names that their authors gave them, and such tensors by chance.

CLIP: A. Radford et al. (2021), names of OpenAI's archives. DINOv2: M. Oquab et al. (2023), names of the authors' checkpoints.
"""
import torch
import torch.nn.functional as F

ACTIVATIONS = {'gelu': F.gelu, 'quick_gelu': lambda x: x * torch.sigmoid(1.702 * x)}


def norm(t, name, x, eps):
    return F.layer_norm(x, [int(x.shape[-1])], t[name + '.weight'], t[name + '.bias'], eps)


def attention(x, weight, bias, mask):
    """Heads of 64 numbers; x is n x tokens x width."""
    n, tokens, width = x.shape
    q, k, v = F.linear(x, weight, bias).view(n, tokens, 3, width // 64, 64).permute(2, 0, 3, 1, 4)
    scores = q @ k.transpose(2, 3) / 8
    if mask is not None:
        scores = scores + mask
    return (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, tokens, width)


def clip_blocks(t, prefix, x, activation, mask=None):
    layer = 0
    while f'{prefix}.{layer}.ln_1.weight' in t:
        b = f'{prefix}.{layer}.'
        y = attention(norm(t, b + 'ln_1', x, 1e-5), t[b + 'attn.in_proj_weight'], t[b + 'attn.in_proj_bias'], mask)
        x = x + F.linear(y, t[b + 'attn.out_proj.weight'], t[b + 'attn.out_proj.bias'])
        y = ACTIVATIONS[activation](F.linear(norm(t, b + 'ln_2', x, 1e-5), t[b + 'mlp.c_fc.weight'], t[b + 'mlp.c_fc.bias']))
        x = x + F.linear(y, t[b + 'mlp.c_proj.weight'], t[b + 'mlp.c_proj.bias'])
        layer += 1
    return x


def clip_image(t, x, activation='quick_gelu'):
    weight = t['visual.conv1.weight']
    x = F.conv2d(x, weight, stride=int(weight.shape[2])).flatten(2).transpose(1, 2)
    x = torch.cat([t['visual.class_embedding'].expand(x.shape[0], 1, -1), x], 1) + t['visual.positional_embedding']
    x = clip_blocks(t, 'visual.transformer.resblocks', norm(t, 'visual.ln_pre', x, 1e-5), activation)
    return norm(t, 'visual.ln_post', x[:, 0], 1e-5) @ t['visual.proj']


def clip_text(t, tokens, activation='quick_gelu'):
    count = tokens.shape[1]
    x = t['token_embedding.weight'][tokens] + t['positional_embedding']
    x = clip_blocks(t, 'transformer.resblocks', x, activation, torch.full((count, count), float('-inf')).triu(1))
    return norm(t, 'ln_final', x, 1e-5)[torch.arange(len(x)), tokens.argmax(1)] @ t['text_projection']


def dinov2(t, x):
    grid = x.shape[2] // 14
    positions = t['pos_embed']
    if grid != 37:
        map_ = positions[:, 1:].reshape(1, 37, 37, -1).permute(0, 3, 1, 2)
        factor = (grid + .1) / 37
        map_ = F.interpolate(map_, scale_factor=(factor, factor), mode='bicubic')
        positions = torch.cat([positions[:, :1], map_.flatten(2).transpose(1, 2)], 1)
    x = F.conv2d(x, t['patch_embed.proj.weight'], t['patch_embed.proj.bias'], stride=14).flatten(2).transpose(1, 2)
    x = torch.cat([t['cls_token'].expand(len(x), -1, -1), x], 1) + positions
    for layer in range(12):
        b = f'blocks.{layer}.'
        y = attention(norm(t, b + 'norm1', x, 1e-6), t[b + 'attn.qkv.weight'], t[b + 'attn.qkv.bias'], None)
        x = x + F.linear(y, t[b + 'attn.proj.weight'], t[b + 'attn.proj.bias']) * t[b + 'ls1.gamma']
        y = F.gelu(F.linear(norm(t, b + 'norm2', x, 1e-6), t[b + 'mlp.fc1.weight'], t[b + 'mlp.fc1.bias']))
        x = x + F.linear(y, t[b + 'mlp.fc2.weight'], t[b + 'mlp.fc2.bias']) * t[b + 'ls2.gamma']
    return norm(t, 'norm', x, 1e-6)[:, 0]


class Chance:
    """Tensors by chance. The large ones are pieces of a few storages, so that torch.save writes little."""

    def __init__(self, seed, dtype=torch.float32):
        self.generator = torch.Generator().manual_seed(seed)
        self.dtype = dtype
        self.pool = torch.randn(1 << 23, generator=self.generator)
        self.scaled = {}

    def matrix(self, *shape, scale):
        """Numbers whose standard deviation is `scale`."""
        count = torch.Size(shape).numel()
        if count > self.pool.numel() // 2:
            return (torch.randn(*shape, generator=self.generator) * scale).to(self.dtype)
        if scale not in self.scaled:
            self.scaled[scale] = (self.pool * scale).to(self.dtype)
        first = int(torch.randint(self.pool.numel() - count, (1,), generator=self.generator))
        return self.scaled[scale][first:first + count].view(shape)

    def vector(self, *shape, mean=0., spread=.1):
        return (torch.randn(*shape, generator=self.generator) * spread + mean).to(self.dtype)

    def norm(self, t, name, width):
        t[name + '.weight'], t[name + '.bias'] = self.vector(width, mean=1., spread=.2), self.vector(width)

    def linear(self, t, weight, bias, out, inputs, scale=1.):
        t[weight], t[bias] = self.matrix(out, inputs, scale=scale * inputs ** -.5), self.vector(out)

    def clip_blocks(self, t, prefix, width, layers):
        for layer in range(layers):
            b = f'{prefix}.{layer}.'
            self.norm(t, b + 'ln_1', width)
            self.linear(t, b + 'attn.in_proj_weight', b + 'attn.in_proj_bias', 3 * width, width, 1.5)
            self.linear(t, b + 'attn.out_proj.weight', b + 'attn.out_proj.bias', width, width)
            self.norm(t, b + 'ln_2', width)
            self.linear(t, b + 'mlp.c_fc.weight', b + 'mlp.c_fc.bias', 4 * width, width)
            self.linear(t, b + 'mlp.c_proj.weight', b + 'mlp.c_proj.bias', width, 4 * width)

    def clip_image(self, patch, width, layers, dimension, side=224):
        t = {'visual.conv1.weight': self.matrix(width, 3, patch, patch, scale=(3 * patch * patch) ** -.5),
             'visual.class_embedding': self.vector(width, spread=1.),
             'visual.positional_embedding': self.vector(1 + (side // patch) ** 2, width, spread=.5),
             'visual.proj': self.matrix(width, dimension, scale=width ** -.5)}
        self.norm(t, 'visual.ln_pre', width)
        self.clip_blocks(t, 'visual.transformer.resblocks', width, layers)
        self.norm(t, 'visual.ln_post', width)
        return t

    def clip_text(self, width, layers, dimension):
        t = {'token_embedding.weight': self.matrix(49408, width, scale=.5), 'logit_scale': torch.tensor(4.6),
             'positional_embedding': self.vector(77, width, spread=.5),
             'text_projection': self.matrix(width, dimension, scale=width ** -.5)}
        self.clip_blocks(t, 'transformer.resblocks', width, layers)
        self.norm(t, 'ln_final', width)
        return t

    def dinov2(self, width):
        t = {'cls_token': self.vector(1, 1, width, spread=1.), 'pos_embed': self.vector(1, 1 + 37 * 37, width, spread=.5),
             'mask_token': self.vector(1, width)}
        self.linear(t, 'patch_embed.proj.weight', 'patch_embed.proj.bias', width, 3 * 14 * 14)
        t['patch_embed.proj.weight'] = t['patch_embed.proj.weight'].view(width, 3, 14, 14)
        for layer in range(12):
            b = f'blocks.{layer}.'
            self.norm(t, b + 'norm1', width)
            self.linear(t, b + 'attn.qkv.weight', b + 'attn.qkv.bias', 3 * width, width, 1.5)
            self.linear(t, b + 'attn.proj.weight', b + 'attn.proj.bias', width, width)
            t[b + 'ls1.gamma'], t[b + 'ls2.gamma'] = self.vector(width, mean=.7), self.vector(width, mean=.7)
            self.norm(t, b + 'norm2', width)
            self.linear(t, b + 'mlp.fc1.weight', b + 'mlp.fc1.bias', 4 * width, width)
            self.linear(t, b + 'mlp.fc2.weight', b + 'mlp.fc2.bias', width, 4 * width)
        self.norm(t, 'norm', width)
        return t


def hugging_face(t):
    """A CLIP of OpenAI's names in those of Hugging Face's CLIPModel."""
    out = {}
    towers = (('visual.transformer.resblocks', 'vision_model.encoder.layers'),
              ('transformer.resblocks', 'text_model.encoder.layers'))
    parts = (('ln_1', 'layer_norm1'), ('ln_2', 'layer_norm2'), ('mlp.c_fc', 'mlp.fc1'), ('mlp.c_proj', 'mlp.fc2'),
             ('attn.out_proj', 'self_attn.out_proj'))
    names = {'visual.conv1.weight': 'vision_model.embeddings.patch_embedding.weight',
             'visual.class_embedding': 'vision_model.embeddings.class_embedding',
             'visual.positional_embedding': 'vision_model.embeddings.position_embedding.weight',
             'token_embedding.weight': 'text_model.embeddings.token_embedding.weight',
             'positional_embedding': 'text_model.embeddings.position_embedding.weight', 'logit_scale': 'logit_scale'}
    for end in ('weight', 'bias'):
        names.update({f'visual.ln_pre.{end}': f'vision_model.pre_layrnorm.{end}',
                      f'visual.ln_post.{end}': f'vision_model.post_layernorm.{end}',
                      f'ln_final.{end}': f'text_model.final_layer_norm.{end}'})
    for name, tensor in t.items():
        if name in names:
            out[names[name]] = tensor
        elif name in ('visual.proj', 'text_projection'):
            out['visual_projection.weight' if name == 'visual.proj' else 'text_projection.weight'] = tensor.t()
        else:
            prefix, theirs = next((a, b) for a, b in towers if name.startswith(a + '.'))
            layer, part = name[len(prefix) + 1:].split('.', 1)
            if part.startswith('attn.in_proj_'):
                for which, piece in zip('qkv', tensor.chunk(3)):
                    out[f'{theirs}.{layer}.self_attn.{which}_proj.{part[len("attn.in_proj_"):]}'] = piece
            else:
                before, after = next((a, b) for a, b in parts if part.startswith(a + '.'))
                out[f'{theirs}.{layer}.{after}{part[len(before):]}'] = tensor
    out['vision_model.embeddings.position_ids'] = torch.arange(len(t['visual.positional_embedding']))[None]
    if 'positional_embedding' in t:
        out['text_model.embeddings.position_ids'] = torch.arange(77)[None]
    return out
