// The focused picture large: PhotoSwipe zooms, pans and swipes through the walking order of the cells.
import PhotoSwipe, { type SlideData } from "photoswipe";
import "photoswipe/style.css";
import { createEffect, on, onCleanup, onMount, untrack } from "solid-js";
import { useKeys } from "../../keymap";
import { openMask } from "../../mask/subject";
import type { Model } from "../../model";
import { describe } from "../../model/cells";
import { toggleMark } from "../../picks/mark";
import { pictureKeys, walkKeys } from "../grid/keys";

/** The type of a slide without a picture. */
const ABSENT = "absent";
/** How far a key moves a zoomed picture, in CSS pixels. */
const PAN = 80;

export function Large(props: { model: Model }) {
  const { model } = props;
  useKeys([
    ...walkKeys(model),
    ...pictureKeys(model),
    { keys: ["Escape", "Enter"], does: "Close the large picture", group: "Look", run: () => model.close() },
    { keys: ["z"], does: "Zoom in the large picture, or back", group: "Look", run: () => pswp?.toggleZoom() },
    { keys: ["+", "="], does: "Zoom in", group: "Look", run: () => zoom(1.5) },
    { keys: ["-"], does: "Zoom out", group: "Look", run: () => zoom(1 / 1.5) },
    { keys: ["Shift+ArrowLeft", "Shift+ArrowRight", "Shift+ArrowUp", "Shift+ArrowDown"], does: "Move the zoomed picture", group: "Look", run: (event) => pan(event.key) },
  ], { modal: true });
  let pswp: PhotoSwipe | undefined;
  const zoom = (by: number) => pswp?.currSlide && pswp.zoomTo(pswp.currSlide.currZoomLevel * by, undefined, 150);

  const pan = (key: string) => {
    const now = pswp?.currSlide;
    const by = ({ ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] } as Record<string, number[]>)[key];
    now?.panTo(now.pan.x + PAN * by[0], now.pan.y + PAN * by[1]);
  };

  // The order stays while the view is open, also when a pick changes what the filter shows.
  let walk = untrack(model.walk);
  const indexOf = (cell: number) => {
    if (!walk.includes(cell)) walk = model.walk().includes(cell) ? model.walk() : [cell];
    return walk.indexOf(cell);
  };
  const slide = (index: number): SlideData => {
    const cell = walk[index];
    const picture = model.page().grid.picture[cell];
    const { image, size, problem } = model.pictures();
    const label = describe(model.page().grid, model.cells().coordinates(cell));
    const [width, height] = size[picture];
    const src = image[picture];
    return src ? { src, width, height, alt: label } : { type: ABSENT, text: problem[picture] ?? "Not rendered yet." };
  };
  const caption = () => {
    const picture = model.focused();
    if (picture < 0) return "";
    const pick = model.picks.of(model.pictures().cell[picture]);
    const mark = pick?.mark === "pick" ? "★ " : pick?.mark === "reject" ? "⊘ " : "";
    return mark + (model.flicker() ? (model.other()?.label ?? "") : describe(model.page().grid, model.view.at));
  };

  onMount(() => {
    const fill = (zoom: { panAreaSize: { x: number; y: number } | null; elementSize: { x: number; y: number } | null }) => {
      const { panAreaSize: area, elementSize: element } = zoom;
      return area && element ? Math.min(area.x / element.x, area.y / element.y) : 1;
    };
    pswp = new PhotoSwipe({
      index: indexOf(model.focus()), loop: false, showHideAnimationType: "none", bgOpacity: 1, escKey: false, arrowKeys: false, returnFocus: false,
      initialZoomLevel: fill, secondaryZoomLevel: (zoom) => Math.max(1, 2 * fill(zoom)), maxZoomLevel: (zoom) => Math.max(8, 4 * fill(zoom)),
      padding: { top: 52, bottom: 48, left: 8, right: 8 }, wheelToZoom: true, bgClickAction: "close", tapAction: "toggle-controls",
      closeTitle: "Close (Esc)", zoomTitle: "Zoom (z)", arrowPrevTitle: "Previous", arrowNextTitle: "Next", errorMsg: "The file of this picture cannot be shown.",
      mainClass: "large",
    });
    pswp.addFilter("numItems", () => walk.length);
    pswp.addFilter("itemData", (_, index) => slide(index));
    pswp.on("contentLoad", (event) => {
      if (event.content.type !== ABSENT) return;
      event.preventDefault();
      const box = document.createElement("div");
      box.className = "large-absent";
      box.textContent = String(event.content.data.text);
      event.content.element = box;
    });
    // All keys but the focus trap's come from the keymap.
    pswp.on("keydown", (event) => event.originalEvent.key !== "Tab" && event.preventDefault());
    pswp.on("uiRegister", () => {
      pswp!.ui!.registerElement({ name: "caption", order: 9, isButton: false, appendTo: "root", onInit: (element) => createCaption(element) });
      const button = (name: string, title: string, text: string, order: number, act: () => void) =>
        pswp!.ui!.registerElement({ name, title, order, isButton: true, html: text, onClick: act });
      button("pick", "Pick (p)", "★", 8, () => toggleMark(model, "pick"));
      button("reject", "Reject (x)", "⊘", 8.5, () => toggleMark(model, "reject"));
      button("flicker", "Flicker (Space)", "◐", 9, () => model.setFlicker(!model.flicker() && model.other() !== null));
      button("mask", "Make a mask (M)", "▨", 9.2, () => openMask(model, "cell"));
    });
    pswp.on("change", () => {
      const cell = walk[pswp!.currIndex];
      if (cell !== untrack(model.focus)) model.focusCell(cell);
    });
    pswp.on("close", () => model.close());
    pswp.init();
    pswp.element?.setAttribute("aria-label", "Picture");
  });
  const createCaption = (element: HTMLElement) => {
    captionElement = element;
    element.setAttribute("aria-live", "polite");
    element.textContent = untrack(caption);
  };
  let captionElement: HTMLElement | undefined;
  createEffect(() => {
    const text = caption();
    if (captionElement) captionElement.textContent = text;
  });
  createEffect(on(model.focus, (cell) => {
    const index = indexOf(cell);
    if (pswp && index !== pswp.currIndex) pswp.goTo(index);
  }, { defer: true }));
  // A picture that arrives while the view is open takes the place of the message.
  createEffect(on(model.page, () => pswp?.refreshSlideContent(pswp.currIndex), { defer: true }));
  // Only the file changes: zoom and position stay, so that the same place flickers.
  createEffect(on(() => [model.flicker(), model.focus()] as const, ([on, cell], before) => {
    const image = pswp?.currSlide?.content.element;
    if (!(image instanceof HTMLImageElement) || (before && before[1] !== cell)) return;
    const own = model.pictures().image[model.focused()];
    const source = on ? model.other()?.image : own;
    if (source) image.src = source;
  }, { defer: true }));
  onCleanup(() => {
    pswp?.destroy();
    queueMicrotask(() => document.querySelector<HTMLElement>(".sheet")?.focus({ preventScroll: true }));
  });
  return null;
}
