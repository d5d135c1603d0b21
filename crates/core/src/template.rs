//! Text with `{placeholders}`. Parentheses and square brackets belong to the prompt's dialect and are kept.

/// A text split at its placeholders. `{{` and `}}` are literal braces; so is a single `}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Template<'a> {
    parts: Vec<Part<'a>>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part<'a> {
    Text(&'a str),
    Placeholder(&'a str),
}

/// A brace that does not start a placeholder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{{` at position {offset} does not start a placeholder; allowed: `{{name}}`, or `{{{{` for a brace")]
pub struct TemplateError {
    /// Byte offset of the brace.
    pub offset: usize,
}

impl<'a> Template<'a> {
    /// Splits a text at its placeholders. Names consist of letters, digits, `_` and `-`.
    pub fn parse(text: &'a str) -> Result<Template<'a>, TemplateError> {
        let mut parts = Vec::new();
        let (mut start, mut at) = (0, 0);
        let bytes = text.as_bytes();
        while at < bytes.len() {
            match bytes[at] {
                brace @ (b'{' | b'}') if bytes.get(at + 1) == Some(&brace) => {
                    parts.push(Part::Text(&text[start..=at]));
                    at += 2;
                    start = at;
                }
                b'{' => {
                    let name = text[at + 1..].split_once('}').map(|(name, _)| name);
                    let name = name.filter(|name| is_name(name)).ok_or(TemplateError { offset: at })?;
                    parts.push(Part::Text(&text[start..at]));
                    parts.push(Part::Placeholder(name));
                    at += name.len() + 2;
                    start = at;
                }
                _ => at += 1,
            }
        }
        parts.push(Part::Text(&text[start..]));
        Ok(Template { parts })
    }

    /// The names of its placeholders, in order, with repetitions.
    pub fn placeholders(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.parts.iter().filter_map(|part| match part {
            Part::Placeholder(name) => Some(*name),
            Part::Text(_) => None,
        })
    }

    /// The text with each placeholder replaced, in a single pass; the error is the first name without a value.
    pub fn fill(&self, mut value: impl FnMut(&str) -> Option<&'a str>) -> Result<String, &'a str> {
        let mut text = String::with_capacity(256);
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Placeholder(name) => text.push_str(value(name).ok_or(*name)?),
            }
        }
        Ok(text)
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str) -> Result<String, String> {
        let template = Template::parse(text).map_err(|error| error.to_string())?;
        template.fill(|name| (name == "artist").then_some("Mucha")).map_err(|name| format!("no {name}"))
    }

    #[test]
    fn placeholders_are_filled_and_brackets_are_kept() {
        let check = |text: &str, expected: &str| assert_eq!(fill(text).as_deref(), Ok(expected), "{text}");
        check("by {artist}, by {artist}", "by Mucha, by Mucha");
        check("(round:1.2) [a|b] }", "(round:1.2) [a|b] }");
        check("{{artist}} {{{artist}}}", "{artist} {Mucha}");
        check("", "");
        check("épée {artist} 絵", "épée Mucha 絵");
    }

    #[test]
    fn a_stray_brace_is_an_error() {
        let check =
            |text: &str, offset| assert_eq!(Template::parse(text), Err(TemplateError { offset }), "{text}");
        check("a {", 2);
        check("{a|b}", 0);
        check("{}", 0);
        assert_eq!(fill("{unknown}"), Err("no unknown".to_owned()));
    }
}
