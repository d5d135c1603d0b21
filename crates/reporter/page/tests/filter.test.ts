import { describe, expect, test } from "vitest";
import { condition, isError, matches, parseFilter, type Subject, type Word } from "../src/model/filter";

const NAMES = [{ name: "strength", number: true }, { name: "artist", number: false }, { name: "seed", number: true }, { name: "my axis", number: false }];

const munch: Subject = {
  values: (name) => ({ strength: ["0.50"], artist: ["Edvard Munch", "munch"], seed: ["18446744073709551615"], "my axis": [""] })[name] ?? [],
  is: (word: Word) => word === "picked" || word === "done",
  text: () => "portrait of a man, by edvard munch\na scream <b>",
};

function match(source: string): boolean {
  const filter = parseFilter(source, NAMES);
  if (isError(filter)) throw new Error(filter.message);
  return matches(filter, munch);
}

describe("matching", () => {
  test.each([
    ["", true], ["   ", true],
    ["strength > 0.4", true], ["strength>0.5", false], ["strength >= .5", true], ["strength < 1", true], ["strength <= 0.4", false],
    ["strength = 0.5", true], ["strength != 0.5", false], ["STRENGTH = 5e-1", true],
    ["artist: Munch", true], ["artist:klimt", false], ['artist = "edvard munch"', true], ["artist = munch", true], ["artist = Edvard", false], ['artist != "Edvard Munch"', false],
    ["seed = 18446744073709551615", true], ["seed = 18446744073709551614", false],
    ["picked", true], ["rejected", false], ["not rejected", true], ["Picked not noted", true],
    ["scream", true], ['"a man"', true], ['"picked"', false], ["<b>", false],
    ["klimt or munch", true], ["klimt or munch rejected", false], ["(klimt or munch) picked", true], ["not (klimt or rejected)", true],
    ["strength > 0.4 and artist: munch", true], ['"my axis" = ""', true], ["orchid", false], ["not not picked", true],
  ])("%s", (source, expected) => {
    if (source === "<b>") return expect(isError(parseFilter(source, NAMES))).toBe(true);
    return expect(match(source)).toBe(expected);
  });
});

describe("errors say what is wrong and where", () => {
  test.each([
    ["strenght > 0.5", "no setting, metric or axis is named `strenght`; did you mean `strength`?", 0],
    ["picked zzzzzz = 1", "no setting, metric or axis is named `zzzzzz`", 7],
    ["strength >", "`strength >` needs a value", 10],
    ["strength > high", "`>` compares numbers; `high` is not a number", 11],
    ["artist > 5", "`artist` is not a number; use `=`, `!=` or `:` (contains)", 7],
    ["> 5", "`>` needs a name before it, such as `strength > 0.5`", 0],
    ["(picked", "a `(` is not closed", 0],
    ["picked)", "`)` without `(`", 6],
    ["()", "`)` where a condition is expected", 1],
    ['artist: "Munch', "a `\"` is not closed", 8],
    ["picked or", "something is missing at the end", 9],
    ["or picked", "`or` needs a condition before it", 0],
    ["not", "something is missing at the end", 3],
  ])("%s", (source, message, at) => expect(parseFilter(source, NAMES)).toEqual({ message, at }));
});

test.each(["plain", "two words", 'a "quote"', "back\\slash", "a:b", "", "or", "<script>", "line\u2028separator"])("a condition on %j is read back", (value) => {
  const filter = parseFilter(condition("my axis", "=", value), NAMES);
  expect(filter).toEqual({ kind: "compare", name: "my axis", operator: "=", value });
});
