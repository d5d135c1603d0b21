// A button that copies a text, and says so for a moment.
import { createSignal, onCleanup } from "solid-js";

export function CopyButton(props: { label: string; text: () => string; title?: string; say: (text: string) => void }) {
  const [copied, setCopied] = createSignal(false);
  let timer: number | undefined;
  const copy = async () => {
    const text = props.text();
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      copyBySelection(text);
    }
    setCopied(true);
    props.say(`${props.label} copied`);
    clearTimeout(timer);
    timer = window.setTimeout(() => setCopied(false), 1500);
  };
  onCleanup(() => clearTimeout(timer));
  return <button type="button" title={props.title} onClick={() => void copy()}>{copied() ? "Copied" : props.label}</button>;
}

/** For pages opened from disk in browsers that have no clipboard for them. */
function copyBySelection(text: string): void {
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
