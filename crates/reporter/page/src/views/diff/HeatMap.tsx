// What differs between two pictures, as false colours. A page from disk may not read the pixels of its pictures, so the browser
// blends one picture over the other (`mix-blend-mode: difference` in the style sheet) and colours the result by a filter.
import { createUniqueId } from "solid-js";

export interface HeatMapProps {
  left: string;
  right: string;
  /** By how much differences are multiplied before they are coloured. */
  gain: number;
  /** Called with the file that cannot be loaded. */
  fail(image: string): void;
}

/** Red, green and blue of no difference up to the greatest: from black over violet and orange to pale yellow. */
const COLOURS = {
  red: "0 0.34 0.73 0.98 0.99",
  green: "0 0.06 0.22 0.56 1",
  blue: "0.02 0.43 0.33 0.04 0.64",
};

export function HeatMap(props: HeatMapProps) {
  const id = `heat-${createUniqueId()}`;
  // Each channel counts a third; the sum is multiplied by the gain.
  const mean = () => {
    const share = (props.gain / 3).toFixed(5);
    const row = `${share} ${share} ${share} 0 0`;
    return `${row} ${row} ${row} 0 0 0 1 0`;
  };
  return (
    <div class="heat">
      <svg class="heat-filter" aria-hidden="true">
        <filter id={id} color-interpolation-filters="sRGB">
          <feColorMatrix type="matrix" values={mean()} />
          <feComponentTransfer>
            <feFuncR type="table" tableValues={COLOURS.red} />
            <feFuncG type="table" tableValues={COLOURS.green} />
            <feFuncB type="table" tableValues={COLOURS.blue} />
          </feComponentTransfer>
        </filter>
      </svg>
      <div class="heat-pictures" role="img" aria-label="Heat map of the difference" style={{ filter: `url(#${id})` }}>
        <img src={props.left} alt="" onError={() => props.fail(props.left)} />
        <img src={props.right} alt="" onError={() => props.fail(props.right)} />
      </div>
      <p class="heat-scale">
        <span>same</span> <span class="heat-bar" aria-hidden="true" /> <span>{Math.round(255 / props.gain)} of 255 or more</span>
      </p>
    </div>
  );
}
