// What axe finds wrong below an element.
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";

export async function problems(page: Page, selector: string): Promise<string[]> {
  // A page from disk may not read its style sheet again, which axe would need for media queries only.
  const { violations } = await new AxeBuilder({ page }).options({ preload: false }).include(selector).analyze();
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary}`));
}
