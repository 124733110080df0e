#!/usr/bin/env python3
"""A judge of purified pictures that shares no code with ue-audit: ResNet-18 by the recipe of the D-VAE paper, on a GPU.

  python3 2026-11-26-table2.py TRAIN.parquet TEST.parquet --epochs 31 --seeds 0 1 2

Needs torch, numpy, pyarrow and pillow. Files are in the form of Hugging Face: a struct with the bytes of a picture, and `label`. Prints one
line of JSON for each seed. CIFAR stem, widths 64 to 512; random crops of 4 pixels and flips, no normalisation; SGD 0.1, momentum 0.9, decay
5e-4, batches of 128, gradients clipped to norm 5, a cosine to 0 stepped by epoch; bf16 in the convolutions. Accuracy after the last epoch.
"""
import argparse, io, json, math, time

import numpy as np
import pyarrow.parquet as pq
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
BATCH = 128


class Block(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False), nn.BatchNorm2d(cout)
        self.conv2, self.bn2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False), nn.BatchNorm2d(cout)
        self.short = nn.Sequential()
        if stride != 1 or cin != cout:
            self.short = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + self.short(x))


class ResNet18(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU())
        widths = [64, 64, 128, 256, 512]
        pairs = zip(widths, widths[1:], [1, 2, 2, 2])
        self.layers = nn.Sequential(*[nn.Sequential(Block(a, b, s), Block(b, b, 1)) for a, b, s in pairs])
        self.fc = nn.Linear(512, classes)

    def forward(self, x):
        return self.fc(self.layers(self.stem(x)).mean((2, 3)))


def load(path):
    table = pq.read_table(path)
    column = next(name for name in table.column_names if "im" in name)
    pictures = [np.asarray(Image.open(io.BytesIO(cell["bytes"])).convert("RGB")) for cell in table[column].to_pylist()]
    x = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
    return x.to(DEVICE), torch.tensor(table["label"].to_pylist()).to(DEVICE)


def augmented(x, draws):
    """The pictures cropped and flipped at random, as floats in [0, 1]."""
    n, side = len(x), x.shape[-1]
    x, at = F.pad(x, (4, 4, 4, 4)), torch.arange(side, device=DEVICE)
    down, right = (torch.randint(0, 9, (n, 1), device=DEVICE, generator=draws) for _ in range(2))
    flip = torch.rand(n, 1, device=DEVICE, generator=draws) < 0.5
    rows, columns = at + down, torch.where(flip, side - 1 - at, at) + right
    picked = x[torch.arange(n, device=DEVICE)[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return picked.permute(0, 3, 1, 2).float().div_(255).to(memory_format=torch.channels_last)


def accuracy(net, x, y):
    net.eval()
    with torch.no_grad(), torch.autocast(DEVICE, dtype=torch.bfloat16):
        right = [(net(a.float().div(255)).argmax(1) == b).sum() for a, b in zip(x.split(1000), y.split(1000))]
    return sum(right).item() / len(x)


def train(x, y, epochs, seed):
    torch.manual_seed(seed)
    net = ResNet18(int(y.max()) + 1).to(DEVICE).to(memory_format=torch.channels_last).train()
    draws = torch.Generator(device=DEVICE).manual_seed(seed)
    step = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    for epoch in range(epochs):
        step.param_groups[0]["lr"] = 0.05 * (1 + math.cos(math.pi * epoch / epochs))
        moved, order = augmented(x, draws), torch.randperm(len(x), device=DEVICE, generator=draws)
        for rows in order.split(BATCH)[: len(x) // BATCH]:
            with torch.autocast(DEVICE, dtype=torch.bfloat16):
                loss = F.cross_entropy(net(moved[rows]).float(), y[rows])
            step.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            step.step()
    return net, loss.item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train"), parser.add_argument("test")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    args = parser.parse_args()
    (x, y), test = load(args.train), load(args.test)
    for seed in args.seeds:
        begun = time.time()
        net, loss = train(x, y, args.epochs, seed)
        cell = dict(train=args.train, rows=len(x), epochs=args.epochs, seed=seed, accuracy=accuracy(net, *test), loss=loss)
        print(json.dumps(cell | dict(seconds=round(time.time() - begun, 1))), flush=True)


if __name__ == "__main__":
    main()
