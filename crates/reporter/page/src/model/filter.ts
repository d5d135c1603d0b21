// The filter language: `strength > 0.5`, `artist: Munch`, `picked or not noted`, and words to be found anywhere.
// Terms side by side must all hold; `or` and `not` and round brackets do what they say.

export type Filter =
  | { kind: "all" }
  | { kind: "and" | "or"; parts: Filter[] }
  | { kind: "not"; part: Filter }
  | { kind: "word"; word: Word }
  | { kind: "text"; text: string }
  | { kind: "compare"; name: string; operator: Operator; value: string };

export type Operator = ":" | "=" | "!=" | ">" | ">=" | "<" | "<=";

/** What a cell is, besides its settings. */
export const WORDS = ["picked", "rejected", "unmarked", "noted", "done", "failed", "missing", "draft"] as const;
export type Word = (typeof WORDS)[number];

/** Why a filter cannot be read, and where (an index into its text). */
export interface FilterError {
  message: string;
  at: number;
}

/** A name that can be compared, and whether all its values are numbers. */
export interface Named {
  name: string;
  number: boolean;
}

/** What a filter asks of a cell. */
export interface Subject {
  /** The texts that a name has: the value, and the label of the axis' value. */
  values(name: string): string[];
  is(word: Word): boolean;
  /** Everything that is text about the cell, in lower case. */
  text(): string;
}

interface Token {
  text: string;
  at: number;
  kind: "name" | "quoted" | "operator" | "open" | "close";
}

export function parseFilter(source: string, names: Named[]): Filter | FilterError {
  try {
    const tokens = tokenize(source);
    if (!tokens.length) return { kind: "all" };
    const parser = { tokens, next: 0, names, end: source.length };
    const filter = either(parser);
    if (parser.next < tokens.length) fail("`)` without `(`", tokens[parser.next].at);
    return filter;
  } catch (error) {
    if (error instanceof Failure) return { message: error.message, at: error.at };
    throw error;
  }
}

export function isError(parsed: Filter | FilterError): parsed is FilterError {
  return "message" in parsed;
}

/** Whether a cell matches. */
export function matches(filter: Filter, subject: Subject): boolean {
  switch (filter.kind) {
    case "all":
      return true;
    case "and":
      return filter.parts.every((part) => matches(part, subject));
    case "or":
      return filter.parts.some((part) => matches(part, subject));
    case "not":
      return !matches(filter.part, subject);
    case "word":
      return subject.is(filter.word);
    case "text":
      return subject.text().includes(filter.text.toLowerCase());
    case "compare": {
      const values = subject.values(filter.name);
      if (filter.operator === "!=") return values.every((value) => !equal(value, filter.value));
      return values.some((value) => compare(value, filter.operator, filter.value));
    }
  }
}

/** A condition as text, with quotes where the value needs them. */
export function condition(name: string, operator: Operator, value: string): string {
  return `${quote(name)} ${operator} ${quote(value)}`;
}

function quote(text: string): string {
  const plain = /^[^\s"():=<>!]+$/.test(text) && !["or", "not", "and"].includes(text.toLowerCase());
  return plain ? text : `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

function compare(value: string, operator: Operator, wanted: string): boolean {
  if (operator === ":") return value.toLowerCase().includes(wanted.toLowerCase());
  if (operator === "=") return equal(value, wanted);
  const [a, b] = [number(value), number(wanted)];
  if (a === null || b === null) return false;
  switch (operator) {
    case ">":
      return a > b;
    case ">=":
      return a >= b;
    case "<":
      return a < b;
    default:
      return a <= b;
  }
}

/** Numbers are equal as numbers, so that 0.50 is 0.5; everything else as text, whatever the case. */
function equal(value: string, wanted: string): boolean {
  if (value.toLowerCase() === wanted.toLowerCase()) return true;
  // Seeds go beyond what a floating-point number can tell apart.
  if (/^\d{16,}$/.test(value) || /^\d{16,}$/.test(wanted)) return false;
  const [a, b] = [number(value), number(wanted)];
  return a !== null && a === b;
}

/** A text as a number; null if it is none. */
export function number(text: string): number | null {
  if (text.trim() === "") return null;
  const value = Number(text);
  return Number.isNaN(value) ? null : value;
}

class Failure extends Error {
  constructor(message: string, readonly at: number) {
    super(message);
  }
}

function fail(message: string, at: number): never {
  throw new Failure(message, at);
}

function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < source.length) {
    const rest = source.slice(at);
    const space = /^\s+/.exec(rest);
    if (space) {
      at += space[0].length;
      continue;
    }
    if (rest[0] === '"') {
      const quoted = /^"((?:[^"\\]|\\.)*)"/s.exec(rest);
      if (!quoted) fail('a `"` is not closed', at);
      tokens.push({ kind: "quoted", text: quoted[1].replace(/\\(.)/gs, "$1"), at });
      at += quoted[0].length;
      continue;
    }
    if (rest[0] === "(" || rest[0] === ")") {
      tokens.push({ kind: rest[0] === "(" ? "open" : "close", text: rest[0], at });
      at++;
      continue;
    }
    const operator = /^(>=|<=|!=|[:=><])/.exec(rest);
    if (operator) {
      tokens.push({ kind: "operator", text: operator[0], at });
      at += operator[0].length;
      continue;
    }
    const name = /^(?:[^\s"():=<>!]|!(?!=))+/.exec(rest)!;
    tokens.push({ kind: "name", text: name[0], at });
    at += name[0].length;
  }
  return tokens;
}

interface Parser {
  tokens: Token[];
  next: number;
  names: Named[];
  end: number;
}

function keyword(parser: Parser, word: string): boolean {
  const token = parser.tokens[parser.next];
  return token?.kind === "name" && token.text.toLowerCase() === word;
}

function either(parser: Parser): Filter {
  const parts = [every(parser)];
  while (keyword(parser, "or")) {
    parser.next++;
    parts.push(every(parser));
  }
  return parts.length === 1 ? parts[0] : { kind: "or", parts };
}

function every(parser: Parser): Filter {
  const parts = [single(parser)];
  for (;;) {
    if (keyword(parser, "and")) parser.next++;
    else if (!parser.tokens[parser.next] || keyword(parser, "or") || parser.tokens[parser.next].kind === "close") break;
    parts.push(single(parser));
  }
  return parts.length === 1 ? parts[0] : { kind: "and", parts };
}

function single(parser: Parser): Filter {
  const token = parser.tokens[parser.next];
  if (!token) fail("something is missing at the end", parser.end);
  parser.next++;
  if (token.kind === "open") {
    const filter = either(parser);
    if (parser.tokens[parser.next]?.kind !== "close") fail("a `(` is not closed", token.at);
    parser.next++;
    return filter;
  }
  if (token.kind === "close") fail("`)` where a condition is expected", token.at);
  if (token.kind === "operator") fail(`\`${token.text}\` needs a name before it, such as \`strength ${token.text} 0.5\``, token.at);
  const operator = parser.tokens[parser.next];
  if (operator?.kind === "operator") return comparison(parser, token, operator);
  if (token.kind === "quoted") return { kind: "text", text: token.text };
  const word = token.text.toLowerCase();
  if (word === "not") return { kind: "not", part: single(parser) };
  if (word === "or" || word === "and") fail(`\`${word}\` needs a condition before it`, token.at);
  const known = WORDS.find((one) => one === word);
  return known ? { kind: "word", word: known } : { kind: "text", text: token.text };
}

function comparison(parser: Parser, token: Token, operator: Token): Filter {
  const named = parser.names.find((one) => one.name.toLowerCase() === token.text.toLowerCase());
  if (!named) fail(unknown(token.text, parser.names), token.at);
  parser.next++;
  const value = parser.tokens[parser.next];
  if (!value || (value.kind !== "name" && value.kind !== "quoted")) {
    fail(`\`${token.text} ${operator.text}\` needs a value`, value?.at ?? parser.end);
  }
  parser.next++;
  if (["<", "<=", ">", ">="].includes(operator.text)) {
    if (number(value.text) === null) fail(`\`${operator.text}\` compares numbers; \`${value.text}\` is not a number`, value.at);
    if (!named.number) fail(`\`${named.name}\` is not a number; use \`=\`, \`!=\` or \`:\` (contains)`, operator.at);
  }
  return { kind: "compare", name: named.name, operator: operator.text as Operator, value: value.text };
}

function unknown(name: string, names: Named[]): string {
  const near = names.map((one) => ({ name: one.name, distance: distance(name.toLowerCase(), one.name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0];
  const hint = near && near.distance <= 1 + name.length / 3 ? `; did you mean \`${near.name}\`?` : "";
  return `no setting, metric or axis is named \`${name}\`${hint}`;
}

/** The number of single-character edits between two words (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length];
}
