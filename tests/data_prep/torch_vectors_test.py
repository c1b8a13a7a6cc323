#!/usr/bin/env python3
"""The same of PyTorch's files. Needs numpy, h5py and torch."""
import tempfile
from pathlib import Path

import torch

from checks import expect_done, expect_equal, expect_refused, finish, run
from vector_files import PROGRAM, VALUES, read


def check_torch(folder):
    table = torch.from_numpy(VALUES)
    target = folder / "t.h5"

    torch.save(table, folder / "t.pt")
    expect_done(run(PROGRAM, folder / "t.pt", target), "a tensor")
    expect_equal(read(target)[:2][0].tolist(), VALUES.tolist(), "a tensor")

    state = {"user.weight": table[:2], "item.weight": torch.nn.Parameter(table.double()), "bias": torch.zeros(4)}
    torch.save({"epoch": 3, "state_dict": state}, folder / "m.pth.tar")
    expect_done(run(PROGRAM, folder / "m.pth.tar", target, "--key", "state_dict/item.weight", "--drop-first-row"),
                "a key")
    values, origin, _ = read(target)
    expect_equal(values.tolist(), VALUES[1:].tolist(), "a key")
    expect_equal(origin, "m.pth.tar, state_dict/item.weight", "provenance of a key")
    expect_refused(run(PROGRAM, folder / "m.pth.tar", target), 2, "--key", "state_dict/user.weight [2, 3]",
                   "state_dict/item.weight [4, 3]")
    expect_refused(run(PROGRAM, folder / "m.pth.tar", target, "--key", "other"), 2, "other", "item.weight")

    torch.save({"only": table.bfloat16(), "bias": torch.zeros(3)}, folder / "one.pt")
    expect_done(run(PROGRAM, folder / "one.pt", target), "the only table")
    expect_equal(read(target)[0].tolist(), table.bfloat16().float().tolist(), "bfloat16")

    torch.save(torch.zeros(3), folder / "flat.pt")
    expect_refused(run(PROGRAM, folder / "flat.pt", target), 65, "flat.pt")
    torch.save(torch.ones(2, 2, dtype=torch.int64), folder / "whole.pt")
    expect_refused(run(PROGRAM, folder / "whole.pt", target), 65, "int64")
    torch.save(Path("code"), folder / "object.pt")
    expect_refused(run(PROGRAM, folder / "object.pt", target), 65, "object.pt")
    (folder / "noise.pt").write_bytes(b"noise")
    expect_refused(run(PROGRAM, folder / "noise.pt", target), 65, "noise.pt")


with tempfile.TemporaryDirectory() as name:
    check_torch(Path(name))
finish()
