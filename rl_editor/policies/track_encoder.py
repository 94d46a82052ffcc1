"""The encoder: what each beat is within its whole recording, and how much it is worth keeping.

A stack of blocks, each of which listens in four ways: to all beats (attention with rotary positions), to those near by
(a convolution), to the copies of a beat (is this the better try?), and to the beat itself. The first two and the last
are those of the Conformer (Gulati et al., Interspeech 2020); rotary positions: Su et al., 2021 (RoFormer).
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from rl_editor.policies.comparison import COMPARED_COLUMNS
from rl_editor.policies.copies import COPIES
from rl_editor.policies.recordings import Recordings

_KERNEL = 5
_LONGEST = 10_000.0


@dataclass(frozen=True)
class EncoderConfig:
    """Size of the encoder."""

    width: int = 64
    """Numbers that describe a beat."""
    blocks: int = 4
    """Blocks, one after another."""
    heads: int = 4
    """Heads of attention."""
    dropout: float = 0.1
    """Share of activations left out while training."""


class Encoded(NamedTuple):
    """G recordings, encoded."""

    beats: Tensor
    """(G, B, d)."""
    margin: Tensor
    """How far each beat is above what need not be kept at the length asked for, (G, B): positive for as many seconds
    as are asked for."""
    keep: Tensor
    """Logits of being kept, (G, B)."""


class TrackEncoder(nn.Module):
    """Recordings to `Encoded`."""

    def __init__(self, n_columns: int, config: EncoderConfig) -> None:
        """Make the encoder of recordings whose beats have `n_columns` columns."""
        super().__init__()
        width = config.width
        self.into = nn.Sequential(nn.Linear(n_columns + COPIES, width), nn.GELU(), nn.Linear(width, width))
        self.length = nn.Sequential(nn.Linear(2, width), nn.GELU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(_Block(config, dilation=2 ** (k % 6)) for k in range(config.blocks))
        self.norm = nn.LayerNorm(width)
        self.keep = nn.Linear(width, 1)

    def forward(self, recordings: Recordings) -> Encoded:
        """Encode G recordings."""
        present = recordings.present
        told = recordings.ratio > 0
        ratio = recordings.ratio.clamp(0.01, 4.0)
        x = self.into(torch.cat([recordings.beats, recordings.likeness], dim=2))
        x = x + (self.length(torch.stack([ratio, ratio.log()], dim=1)) * told[:, None])[:, None]
        for block in self.blocks:
            x = block(x, recordings.copy, recordings.likeness, recordings.compared, present)
        x = self.norm(x) * present[..., None]
        keep = self.keep(x)[..., 0]
        least = torch.where(told, threshold(keep.detach(), recordings.share, ratio), 0.0)
        return Encoded(x, keep - least[:, None], keep)


def threshold(worth: Tensor, share: Tensor, ratio: Tensor) -> Tensor:
    """The worth above which beats together last `ratio` of each recording, (G,).

    Args:
        worth: of each beat, (G, B).
        share: length of each beat as a share of the recording, (G, B); 0 where there is none.
        ratio: (G,).
    """
    ranked, order = torch.where(share > 0, worth, -torch.inf).sort(dim=1, descending=True)
    lasts = share.gather(1, order).cumsum(dim=1)
    count = (share > 0).sum(dim=1)
    nth = torch.searchsorted(lasts, ratio[:, None].contiguous())[:, 0].minimum(count - 1)
    return ranked.gather(1, nth[:, None])[:, 0]


def natural_ratio(keep: Tensor, share: Tensor) -> Tensor:
    """The share of each recording that is worth keeping where no length is asked for, (G,).

    Args:
        keep: logits of being kept, (G, B).
        share: length of each beat as a share of the recording, (G, B); 0 where there is no beat.
    """
    return (keep.sigmoid() * share).sum(dim=1)


class _Block(nn.Module):
    def __init__(self, config: EncoderConfig, dilation: int) -> None:
        super().__init__()
        width = config.width
        self.attention = _Attention(width, config.heads)
        self.near = _Near(width, dilation)
        self.copies = _AmongCopies(width)
        self.alone = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, copy: Tensor, likeness: Tensor, compared: Tensor, present: Tensor) -> Tensor:
        x = x + self.dropout(self.attention(x, present))
        x = x + self.dropout(self.near(x, present))
        x = x + self.dropout(self.copies(x, copy, likeness, compared))
        return x + self.dropout(self.alone(x))


class _Attention(nn.Module):
    """Each beat hears all beats."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.into, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        parts = self.into(self.norm(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind(0)
        heard = functional.scaled_dot_product_attention(
            _rotated(query), _rotated(key), value, attn_mask=present[:, None, None, :]
        )
        out: Tensor = self.out(heard.transpose(1, 2).flatten(2))
        return out


class _Near(nn.Module):
    """Each beat hears those around it."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.into, self.out = nn.Linear(width, 2 * width), nn.Linear(width, width)
        self.convolve = nn.Conv1d(
            width, width, _KERNEL, padding=dilation * (_KERNEL // 2), dilation=dilation, groups=width
        )

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        gated = functional.glu(self.into(self.norm(x)), dim=2) * present[..., None]
        near = self.convolve(gated.transpose(1, 2)).transpose(1, 2)
        out: Tensor = self.out(functional.gelu(near))
        return out


class _AmongCopies(nn.Module):
    """Each beat is compared with its copies, those that come later apart from those that came before."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.own, self.other = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.compared = nn.Linear(1 + COMPARED_COLUMNS, width, bias=False)
        self.side = nn.Parameter(torch.zeros(COPIES, width))
        self.out = nn.Linear(2 * width, width)

    def forward(self, x: Tensor, copy: Tensor, likeness: Tensor, compared: Tensor) -> Tensor:
        normed = self.norm(x)
        there = self.other(normed).gather(1, copy.flatten(1)[..., None].expand(-1, -1, x.shape[2]))
        there = there.unflatten(1, copy.shape[1:])
        told = self.compared(torch.cat([likeness[..., None], compared], dim=3))
        heard = functional.gelu(self.own(normed)[:, :, None] + there + told + self.side) * likeness[..., None]
        later, before = heard.chunk(2, dim=2)
        out: Tensor = self.out(torch.cat([later.sum(dim=2), before.sum(dim=2)], dim=2))
        return out


def _rotated(x: Tensor) -> Tensor:
    """Heads with their positions turned into them, (G, H, B, d)."""
    half = x.shape[-1] // 2
    rates = _LONGEST ** (-torch.arange(half, device=x.device, dtype=torch.float32) / half)
    angles = torch.arange(x.shape[2], device=x.device, dtype=torch.float32)[:, None] * rates
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x[..., :half], x[..., half : 2 * half]
    return torch.cat([first * cos - second * sin, first * sin + second * cos, x[..., 2 * half :]], dim=-1)
