"""Processes that train one network together: each computes the gradients of its part of a batch, and all of them take the mean.

On a few CPU cores, processes of one thread each are faster than one process with as many threads (by a fifth on two), for small
networks spend much of their time between two parallel operations. All begin with the same weights and take the same steps, so they
stay alike to the bit.
"""

import multiprocessing

import torch

PATIENCE = 600  # seconds that one may wait for another before it gives up


class Team:
    """`size` processes, and room for the gradients of so many `numbers`."""

    def __init__(self, size, numbers):
        self.size = size
        self._context = multiprocessing.get_context("fork")
        self._barrier = self._context.Barrier(size)
        self._gradients = torch.zeros(size, numbers + 1).share_memory_()

    def run(self, work):
        """Calls work(rank) for every rank, 0 in this process and the others in their own."""
        if self.size > 1:
            torch.set_num_threads(1)
        others = [self._context.Process(target=work, args=(rank,), daemon=True) for rank in range(1, self.size)]
        for process in others:
            process.start()
        work(0)
        for process in others:
            process.join()

    def average(self, rank, params, flag):
        """Replaces the gradients by their mean over all; gives whether anybody raised the flag."""
        if self.size == 1:
            return flag
        torch.cat([p.grad.reshape(-1) for p in params], out=self._gradients[rank, :-1])
        self._gradients[rank, -1] = float(flag)
        self._barrier.wait(PATIENCE)
        mean = self._gradients.mean(0)
        self._barrier.wait(PATIENCE)  # nobody overwrites what another still reads
        for p, part in zip(params, mean[:-1].split([p.numel() for p in params]), strict=True):
            p.grad.copy_(part.view(p.shape))
        return bool(mean[-1] > 0)
