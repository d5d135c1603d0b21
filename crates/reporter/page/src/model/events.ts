// Passes the events of `maquette review` on to whoever listens.
import { onCleanup } from "solid-js";

type Act = (data: unknown) => void;

export function createEvents() {
  const listeners = new Map<string, Set<Act>>();
  return {
    tell: (name: string, data: unknown) => listeners.get(name)?.forEach((act) => act(data)),
    on(name: string, act: Act) {
      const set = listeners.get(name) ?? new Set();
      listeners.set(name, set.add(act));
      onCleanup(() => set.delete(act));
    },
  };
}
