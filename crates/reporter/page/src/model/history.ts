// Keeps the URL and the view the same: small changes replace the entry, opening a picture adds one, so that Back closes it.

const PAUSE = 200;

export interface UrlState {
  /** Writes a hash without a new entry: the first at once, what follows in quick succession together (browsers limit how often). */
  replace(hash: string): void;
  push(hash: string): void;
  /** Goes back if the present entry was pushed; tells whether it did. */
  back(): boolean;
}

/** `changed` is called with the hash when the reader goes back or forward, or edits it. */
export function urlState(changed: (hash: string) => void): UrlState {
  let timer: number | undefined;
  let waiting = "";
  const write = () => {
    clearTimeout(timer);
    timer = undefined;
    if (hashOf() === waiting) return;
    history.replaceState(history.state, "", `#${waiting}`);
    timer = window.setTimeout(write, PAUSE);
  };
  const flush = () => timer !== undefined && write();
  window.addEventListener("popstate", () => {
    clearTimeout(timer);
    timer = undefined;
    changed(hashOf());
  });
  window.addEventListener("pagehide", flush);
  return {
    replace(hash) {
      waiting = hash;
      if (timer === undefined) write();
    },
    push(hash) {
      flush();
      history.pushState({ pushed: true }, "", `#${hash}`);
    },
    back() {
      flush();
      if (!history.state?.pushed) return false;
      history.back();
      return true;
    },
  };
}

export function hashOf(): string {
  return location.hash.slice(1);
}
