"""diffusers on the same card: eager in channels_last, and compiled as its documentation advises.

Compiles first, which takes minutes and may run beside other work (`--wait FILE`: it then writes FILE.ready and measures
only when FILE exists, on a card that is idle). Once FILE.enough exists it compiles nothing more, and measures what is
compiled. The most important numbers come first. Whole pictures are 20 steps of PNDM
with guidance, from prompt to decoded picture, without writing a file.
"""

import time

import kit
import torch
from ceilings import medians
from diffusers import StableDiffusionPipeline

NEGATIVE_PROMPT = "blurry, low quality"


def main():
    parser = kit.arguments(__doc__)
    parser.add_argument("--wait", type=kit.Path)
    parser.add_argument("--eager-only", action="store_true")
    parser.add_argument("--backend", default="inductor", help="of torch.compile")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=8)
    args = parser.parse_args()
    results = kit.Results("diffusers", args)
    peer = Peer(args)
    with torch.no_grad():
        for call in peer.calls(peer.eager).values():
            call()  # Loads every kernel, and shows an error before minutes of compiling.
        compiled = {} if args.eager_only else compile_all(results, args, peer)
        if args.wait:
            wait(args.wait)
        kinds = {"eager": (peer.eager, None)}
        if compiled:
            kinds["compiled"] = (peer.compiled(), compiled)
        for kind, (modules, names) in kinds.items():
            for name, call in peer.calls(modules).items():
                if names is None or name in names:
                    results.attempt(f"{kind} {name}", lambda: one(results, args, kind, name, call))
        for size in (1, args.batch):
            for kind, (modules, names) in kinds.items():
                if names is None or f"batch {size}" in names:
                    results.attempt(f"{kind} pictures", lambda: pictures(results, args, peer, kind, modules, size))
    results.end()


class Peer:
    """The pipeline, and its UNet and VAE decoder with and without torch.compile."""

    def __init__(self, args):
        self.args = args
        self.dtype = torch.float32 if args.device == "cpu" else torch.float16
        self.pipeline = StableDiffusionPipeline.from_pretrained(args.model, dtype=self.dtype, safety_checker=None)
        self.pipeline.set_progress_bar_config(disable=True)
        self.pipeline.to(args.device)
        self.pipeline.unet.to(memory_format=torch.channels_last)
        self.pipeline.vae.to(memory_format=torch.channels_last)
        self.eager = (self.pipeline.unet, self.pipeline.vae.decode)
        self.made = None

    def compiled(self):
        if self.made is None:
            import torch._inductor.config

            torch._inductor.config.conv_1x1_as_mm = True
            inductor = {"mode": "reduce-overhead"} if self.args.backend == "inductor" else {"backend": self.args.backend}
            options = {"fullgraph": True, "dynamic": False, **inductor}
            self.made = tuple(torch.compile(module, **options) for module in self.eager)
        return self.made

    def calls(self, modules):
        """What is measured alone, most important first: the name of each, and a call with the pipeline's arguments."""
        unet, decode = modules
        width = self.pipeline.unet.config.cross_attention_dim
        timestep = torch.tensor(500, device=self.args.device)

        def step(rows):
            latents = self.noise(rows)
            text = torch.randn(rows, 77, width).to(self.args.device, self.dtype)
            options = {"timestep_cond": None, "cross_attention_kwargs": None, "added_cond_kwargs": None}
            return lambda: unet(latents, timestep, encoder_hidden_states=text, **options, return_dict=False)

        def decoding(pictures):
            latents = self.noise(pictures)
            return lambda: decode(latents, return_dict=False, generator=None)

        batch = self.args.batch
        return {
            "UNet, 2 rows": step(2),
            "VAE decode, 1 rows": decoding(1),
            f"UNet, {2 * batch} rows": step(2 * batch),
            f"VAE decode, {batch} rows": decoding(batch),
        }

    def noise(self, rows):
        """Latents in channels_last, which the pipeline keeps; a call in another layout would compile everything again."""
        config = self.pipeline.unet.config
        noise = torch.randn(rows, config.in_channels, config.sample_size, config.sample_size)
        return noise.to(self.args.device, self.dtype).contiguous(memory_format=torch.channels_last)

    def pictures(self, modules, size, steps):
        """Renders a batch to decoded pictures."""
        unet, decode = self.eager
        self.pipeline.unet, self.pipeline.vae.decode = modules
        try:
            return self.pipeline(
                [kit.PROMPT] * size,
                negative_prompt=[NEGATIVE_PROMPT] * size,
                num_inference_steps=steps,
                guidance_scale=7.5,
                latents=self.noise(size),
            ).images
        finally:
            self.pipeline.unet, self.pipeline.vae.decode = unet, decode


def compile_all(results, args, peer):
    """Compiles the modules for each size, then the pipeline with them; the names of what was compiled in time."""
    compiled, calls = set(), peer.calls(peer.compiled())
    for size in (1, args.batch):
        names = [f"UNet, {2 * size} rows", f"VAE decode, {size} rows"]
        # The pipeline compiles nothing if its tensors look like those of the modules; if they do not, it is done by now.
        whole = {f"batch {size}": lambda: peer.pictures(peer.compiled(), size, steps=3)}  # noqa: B023
        for name, call in ({name: calls[name] for name in names} | whole).items():
            if args.wait and args.wait.with_suffix(".enough").exists():
                results.add(f"compiling {name}", note="there was no time", ok=False)
                continue
            results.attempt(f"compiling {name}", lambda: compile_time(results, name, call))  # noqa: B023
            compiled.add(name)
    return compiled


def compile_time(results, name, call):
    begin = time.time()
    for _ in range(3):  # The second and third calls record and replay CUDA graphs.
        call()
    results.add(f"compiling {name}", round(time.time() - begin, 1), "s", note="other work ran beside it")


def wait(file):
    file.with_suffix(".ready").touch()
    while not file.exists():
        time.sleep(0.1)


def one(results, args, kind, name, call):
    median, least = medians(call, args.device, times=20 if args.device != "cpu" else 3)
    key = f"diffusers {kind} {name.lower().replace(',', '')}"
    results.add(f"{kind} {name}", round(1e3 * median, 2), "ms", note=f"least {1e3 * least:.2f}", key=key)


def pictures(results, args, peer, kind, modules, size):
    """4 calls of 1, or 2 of a batch, after one that is not counted; and the peak memory of torch's allocator."""
    on_a_card = args.device != "cpu"
    if on_a_card:
        torch.cuda.reset_peak_memory_stats()
    call = lambda: peer.pictures(modules, size, args.steps)  # noqa: E731
    median, least = medians(call, args.device, warm=1, times=4 if size == 1 else 2)
    peak = f", peak {torch.cuda.max_memory_allocated() / 1e9:.2f} GB" if on_a_card else ""
    name = f"{kind} pictures, {args.steps} steps, batch {size}"
    note = f"least {least / size:.4f}{peak}"
    results.add(name, round(median / size, 4), "s per picture", note=note, key=f"diffusers {kind} pictures {size}")


if __name__ == "__main__":
    main()
