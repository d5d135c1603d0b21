// Masks made by `maquette review`: shown, saved in the run's folder, listed.
import { api, request } from "../api";
import type { Point } from "./points";
import type { MaskSubject } from "./subject";

/** What a mask is made from. */
export interface MaskRequest {
  subject: Pick<MaskSubject, "kind" | "cell">;
  points: readonly Point[];
  /** Whether the thing at the points is kept, and everything else repainted. */
  invert: boolean;
}

/** A mask that the model made: white is repainted. */
export interface MadeMask {
  png: Blob;
  /** The share of it that is white, 0 to 1. */
  white: number;
  /** The model's own estimate, about 0 to 1. */
  quality: number;
}

/** A mask in the run's folder. */
export interface SavedMask {
  /** Its file, relative to the page. */
  file: string;
  /** The lines of an experiment that uses it. */
  toml: string;
}

const body = ({ subject, points, invert }: MaskRequest) => ({ picture: { [subject.kind]: subject.cell }, points, invert });

export async function makeMask(wanted: MaskRequest, signal: AbortSignal): Promise<MadeMask> {
  const answer = await request("POST", "mask", body(wanted), signal);
  const number = (name: string) => Number(answer.headers.get(name));
  return { png: await answer.blob(), white: number("mask-white"), quality: number("mask-quality") };
}

export async function saveMask(wanted: MaskRequest, name: string): Promise<SavedMask> {
  return (await api("POST", "masks", { mask: body(wanted), name })) as SavedMask;
}

export async function listMasks(): Promise<SavedMask[]> {
  return ((await api("GET", "masks")) as { masks: SavedMask[] }).masks;
}

/** What a mask repaints, as a sentence. */
export function about({ white, quality }: MadeMask): string {
  const share = white > 0 && white < 0.005 ? "Less than 1 %" : white < 1 && white >= 0.995 ? "More than 99 %" : `${Math.round(100 * white)} %`;
  return `${share} of the picture is repainted. Quality by the model’s estimate: ${quality.toFixed(2)}.`;
}
