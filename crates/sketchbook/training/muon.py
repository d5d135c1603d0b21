"""The optimiser of the two image networks: Muon for matrices and convolutions, AdamW for everything else.

Muon (Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks") makes each matrix's momentum orthogonal before
the step, with five rounds of a Newton-Schulz iteration. Here matrices of one shape go through it together: on a CPU many small
products would cost more in overhead than in arithmetic. The update is scaled by sqrt(max(1, rows / columns)).
"""

import torch

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # the coefficients of the source above


def orthogonalise(batch, rounds=5, dtype=torch.bfloat16):
    """Nearest (roughly) semi-orthogonal matrices to a batch of shape (n, rows, columns)."""
    a, b, c = NEWTON_SCHULZ
    x = batch.to(dtype)
    tall = x.size(-2) > x.size(-1)
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(rounds):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).to(batch.dtype)


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov momentum and decoupled weight decay, over parameters of two or more dimensions."""

    def __init__(self, params, lr=0.02, momentum=0.95, weight_decay=0.0):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            by_shape = {}
            for p in group["params"]:
                if p.grad is not None:
                    by_shape.setdefault((p.size(0), p.numel() // p.size(0)), []).append(p)
            for (rows, columns), params in by_shape.items():
                directions = []
                for p in params:
                    state = self.state[p]
                    if not state:
                        state["momentum"] = torch.zeros_like(p)
                    grad, m = p.grad, state["momentum"]
                    m.lerp_(grad, 1 - group["momentum"])
                    directions.append(grad.lerp(m, group["momentum"]).reshape(rows, columns))
                updates = orthogonalise(torch.stack(directions))
                scale = group["lr"] * max(1.0, rows / columns) ** 0.5
                for p, update in zip(params, updates, strict=True):
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.add_(update.reshape(p.shape), alpha=-scale)


def optimisers(models, muon_lr, adam_lr, keep_from_muon=()):
    """[Muon, AdamW] over the models' parameters; the modules in `keep_from_muon` (first and last layers, embeddings) get AdamW."""
    kept = {id(p) for module in keep_from_muon for p in module.parameters()}
    matrices, others = [], []
    for model in models:
        for p in model.parameters():
            (matrices if p.dim() >= 2 and id(p) not in kept else others).append(p)
    return [
        Muon(matrices, lr=muon_lr, weight_decay=0.01),
        torch.optim.AdamW(others, lr=adam_lr, betas=(0.9, 0.99), weight_decay=1e-4),
    ]
