// Settings that differ, as a table: the name, and both values with the words marked that the other one does not have.
import { For, Show } from "solid-js";
import type { Change } from "../../data";
import { compareValues, type Piece } from "../../diff/words";

export interface ChangesProps {
  changes: Change[];
  left: string;
  right: string;
  /** What the table lists; without one, it is a list beside a pair, whose heads are for screen readers only. */
  caption?: string;
}

export function Changes(props: ChangesProps) {
  return (
    <table class="diff-changes">
      <Show when={props.caption}><caption>{props.caption}</caption></Show>
      <thead classList={{ "only-read": !props.caption }}>
        <tr>
          <th scope="col">Setting</th>
          <th scope="col"><bdi>{props.left}</bdi></th>
          <th scope="col"><bdi>{props.right}</bdi></th>
        </tr>
      </thead>
      <tbody>
        <For each={props.changes}>
          {(change) => {
            const compared = compareValues(change);
            return (
              <tr>
                <th scope="row"><bdi>{change.name}</bdi></th>
                <td><Value pieces={compared.left} side="del" /></td>
                <td><Value pieces={compared.right} side="ins" /></td>
              </tr>
            );
          }}
        </For>
      </tbody>
    </table>
  );
}

/** A value; `del` and `ins` tell screen readers, too, what is only on the left or right. */
function Value(props: { pieces: Piece[] | null; side: "del" | "ins" }) {
  return (
    <Show when={props.pieces} fallback={<span class="quiet">not set</span>}>
      {(pieces) => (
        <Show when={pieces().length} fallback={<span class="quiet">empty</span>}>
          <bdi>
            <For each={pieces()}>
              {({ text, changed }) => (changed ? props.side === "del" ? <del>{text}</del> : <ins>{text}</ins> : text)}
            </For>
          </bdi>
        </Show>
      )}
    </Show>
  );
}
