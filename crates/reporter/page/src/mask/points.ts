// Points of a picture: from a click, by the arrow keys, as a command.
import { shell } from "../text/settings";

/** In pixels of the picture, from its top left. */
export type Point = readonly [number, number];
export type Size = readonly [number, number];

/** As many as the server takes. */
export const MOST_POINTS = 64;

/** How many steps of the arrow keys a picture is wide or high, whichever is longer. */
const STEPS = 48;

/** The pixel at a place of the window; null outside of the picture, which fills `box`. */
export function pointAt(box: { left: number; top: number; width: number; height: number }, [width, height]: Size, x: number, y: number): Point | null {
  const at: Point = [Math.floor(((x - box.left) / box.width) * width), Math.floor(((y - box.top) / box.height) * height)];
  return at[0] >= 0 && at[1] >= 0 && at[0] < width && at[1] < height ? at : null;
}

/** Where an arrow key moves a point: one pixel if `fine`, and never out of the picture. */
export function moved([x, y]: Point, key: string, [width, height]: Size, fine: boolean): Point {
  const step = fine ? 1 : Math.max(1, Math.round(Math.max(width, height) / STEPS));
  const by = ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] } as Record<string, Point>)[key] ?? [0, 0];
  const limit = (value: number, length: number) => Math.max(0, Math.min(length - 1, value));
  return [limit(x + step * by[0], width), limit(y + step * by[1], height)];
}

/** The command that makes the mask. */
export function maskCommand(file: string, points: readonly Point[], invert: boolean): string {
  const at = points.length ? points.map(([x, y]) => `--at ${x},${y}`) : ["--at X,Y"];
  return ["maquette mask", shell(file), ...at, ...(invert ? ["--invert"] : []), "-o mask.png"].join(" ");
}

/** The path of a file beside a page that was opened from disk; of a page from elsewhere, relative to the page. */
export function pathOnDisk(page: string, file: string): string {
  const url = new URL(file, page);
  const path = url.protocol === "file:" ? url.pathname.replace(/^\/([A-Za-z]:)/, "$1") : file;
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
