//! Every text can be parsed.

use crate::text::dialect::{Item, Piece, Token, chunks, compose, oddities, pieces, schedule};
use proptest::prelude::*;

/// Texts with much syntax.
fn dialect() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[a-zé ,]{1,4}",
        prop::sample::select(vec![
            "(", ")", "[", "]", ":", "|", "\\", ":1.2)", ":0.5]", ":3]", "[a:", "[a|b]", " AND ", " BREAK ",
            "\n", "🎨",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(part, 0..14).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn every_text_can_be_parsed(prompt in dialect(), steps in 1_usize..30) {
        oddities(&prompt);
        for part in compose(&prompt) {
            prop_assert!(part.weight.is_finite());
            let stages = schedule(&part.text, steps);
            prop_assert!(stages.is_sorted_by(|a, b| a.until < b.until));
            prop_assert_eq!(stages.last().map(|stage| stage.until), Some(steps));
            prop_assert!(stages[0].until >= 1);
            for stage in stages {
                prop_assert!(!pieces(&stage.text).is_empty());
            }
        }
    }

    #[test]
    fn text_without_syntax_is_unchanged(prompt in "[a-zA-Zé,. 0-9\n-]{0,60}") {
        prop_assume!(!prompt.contains("AND") && !prompt.contains("BREAK"));
        let (parts, stages) = (compose(&prompt), schedule(&prompt, 7));
        prop_assert_eq!(parts[0].text.as_str(), prompt.trim_end());
        prop_assert_eq!(stages[0].text.as_str(), prompt.as_str());
        prop_assert_eq!(pieces(&prompt), [Piece::Text { text: prompt, weight: 1.0 }]);
    }

    #[test]
    fn escaped_text_is_unchanged(prompt in r"[a-c()\[\]\\ ]{0,30}") {
        let escaped: String = prompt.chars().flat_map(|c| "()[]\\".contains(c).then_some('\\').into_iter().chain([c])).collect();
        prop_assert_eq!(pieces(&escaped), [Piece::Text { text: prompt, weight: 1.0 }]);
    }

    #[test]
    fn chunks_keep_every_id_in_order(
        tokens in prop::collection::vec((prop::collection::vec(0_u32..3, 1..4), any::<bool>()), 0..80),
        room in 1_usize..12,
    ) {
        let items = tokens.iter().flat_map(|(ids, stop)| {
            let token = Item::Token(Token { ids: ids.clone(), weight: 1.0, span: 0..1 });
            [token].into_iter().chain(stop.then_some(Item::Break))
        });
        let chunks = chunks(items, room, Some(0));
        prop_assert!(!chunks.is_empty() && chunks.iter().all(|chunk| chunk.length() <= room));
        let found: Vec<u32> = chunks.iter().flat_map(|chunk| chunk.ids().map(|(id, _)| id)).collect();
        prop_assert_eq!(found, tokens.into_iter().flat_map(|(ids, _)| ids).collect::<Vec<_>>());
    }
}

#[test]
fn deep_and_long_prompts_can_be_parsed() {
    for sign in ["(", "[", "([", "[a:", "[a|", "\\", ")", "]"] {
        let prompt = sign.repeat(20_000);
        schedule(&prompt, 20);
        pieces(&prompt);
    }
    let closed = format!("{}a{}", "[".repeat(5_000), ":b:1]".repeat(5_000));
    schedule(&closed, 20);
}
