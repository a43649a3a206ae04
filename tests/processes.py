"""Two processes as `torchrun --nproc-per-node 2` starts them, with gloo, out of a test."""

import os
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import start_processes

# A fork shares what is imported; where there is a GPU, backward passes have threads it would lose.
START = "spawn" if torch.cuda.is_available() or sys.platform != "linux" else "fork"


def _process(rank: int, folder: str, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "GROUP_RANK": "0",
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "0",  # not used, as they have met already
        "TORCHELASTIC_RUN_ID": "test",
    }
    if sys.platform == "linux":
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meet",
        rank=rank,
        world_size=2,
        timeout=timedelta(seconds=60),
    )
    torch.save(work(rank, *arguments), f"{folder}/{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


def in_two(folder: Path, work: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What `work(rank, *arguments)` returns in each of two processes.

    Args:
        folder: an empty one. work: a function of a module; returns tensors, text and the like.
    """
    start_processes(_process, (str(folder), work, arguments), nprocs=2, start_method=START)
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]
