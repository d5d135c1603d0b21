// The picture as large as fits, with the mask, the points and the crosshair over it.
import { createSignal, For, onMount, Show } from "solid-js";
import { pointAt, type Point, type Size } from "../../mask/points";

export interface StageProps {
  image: string;
  label: string;
  points: readonly Point[];
  cross: Point | null;
  /** The address of the mask, whose white is shown. */
  overlay: string | undefined;
  /** Whether the mask is not that of the points any more. */
  stale: boolean;
  put: (point: Point) => void;
  /** The picture's size is known. */
  sized: (size: Size) => void;
  failed: () => void;
}

export function Stage(props: StageProps) {
  const [size, setSize] = createSignal<Size>([1, 1]);
  let stage!: HTMLDivElement;
  let box!: HTMLDivElement;
  // Whatever opened the view is gone, and the focus with it.
  onMount(() => document.activeElement === document.body && stage.focus({ preventScroll: true }));
  const place = ([x, y]: Point) => ({ left: `${(100 * (x + 0.5)) / size()[0]}%`, top: `${(100 * (y + 0.5)) / size()[1]}%` });
  const loaded = (image: HTMLImageElement) => {
    setSize([image.naturalWidth, image.naturalHeight]);
    props.sized(size());
  };
  const click = (event: MouseEvent) => {
    const point = pointAt(box.getBoundingClientRect(), size(), event.clientX, event.clientY);
    if (point) props.put(point);
  };
  const shape = () => ({ "aspect-ratio": `${size()[0]} / ${size()[1]}`, width: `min(100cqw, calc(100cqh * ${size()[0] / size()[1]}))` });
  return (
    <div class="mask-stage" ref={stage} tabindex="0" role="application" aria-roledescription="picture with points" aria-label={`Mask of ${props.label}: arrow keys move the crosshair, Enter puts a point`}>
      <div class="mask-picture" ref={box} style={shape()} onClick={click}>
        <img src={props.image} alt={props.label} draggable={false} onLoad={(event) => loaded(event.currentTarget)} onError={() => props.failed()} />
        <Show when={props.overlay}>{(overlay) => <div class="mask-overlay" classList={{ stale: props.stale }} style={{ "mask-image": `url("${overlay()}")` }} />}</Show>
        <For each={props.points}>{(point) => <span class="mask-point" style={place(point)} aria-hidden="true" />}</For>
        <Show when={props.cross}>{(cross) => <span class="mask-cross" style={place(cross())} aria-hidden="true" />}</Show>
      </div>
    </div>
  );
}
