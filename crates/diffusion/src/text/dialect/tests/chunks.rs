//! Tests of chunks. Ids stand for words; 0 is the comma.

use crate::text::dialect::{Chunk, Item, Token, chunks};

const COMMA: u32 = 0;
const ROOM: usize = 75;

fn word(id: u32) -> Item {
    Item::Token(Token { ids: vec![id], weight: 1.0, span: 0..1 })
}

fn words(count: usize) -> Vec<Item> {
    vec![word(1); count]
}

/// Asserts how many ids each chunk has.
fn check(items: Vec<Vec<Item>>, expected: &[usize]) {
    let items: Vec<Item> = items.into_iter().flatten().collect();
    let chunks = chunks(items.clone(), ROOM, Some(COMMA));
    let lengths: Vec<usize> = chunks.iter().map(Chunk::length).collect();
    assert_eq!(lengths, expected);
    let ids: Vec<u32> = chunks.iter().flat_map(|chunk| chunk.ids().map(|(id, _)| id)).collect();
    let given: Vec<u32> = items
        .into_iter()
        .flat_map(|item| match item {
            Item::Token(token) => token.ids,
            Item::Break => Vec::new(),
        })
        .collect();
    assert_eq!(ids, given, "words were lost or moved");
}

#[test]
fn a_full_chunk_ends() {
    check(vec![], &[0]);
    check(vec![words(1)], &[1]);
    check(vec![words(75)], &[75]);
    check(vec![words(76)], &[75, 1]);
    check(vec![words(200)], &[75, 75, 50]);
}

#[test]
fn break_ends_a_chunk() {
    let b = || vec![Item::Break];
    check(vec![words(3), b(), words(4)], &[3, 4]);
    check(vec![b(), words(4)], &[0, 4]);
    check(vec![words(3), b(), b(), words(1)], &[3, 0, 1]);
    // Nothing after it: no chunk.
    check(vec![words(3), b()], &[3]);
    check(vec![b()], &[0]);
    check(vec![words(75), b(), words(1)], &[75, 1]);
}

#[test]
fn words_after_a_near_comma_move() {
    let comma = || vec![word(COMMA)];
    // The comma is at 55: twenty before the end.
    check(vec![words(55), comma(), words(30)], &[56, 29 + 1]);
    // One further away.
    check(vec![words(54), comma(), words(30)], &[75, 10]);
    // The comma is the last of the chunk: nothing moves, but the chunk ends there.
    check(vec![words(74), comma(), words(3)], &[75, 3]);
    // The comma itself does not fit: it begins the next chunk and is no longer considered.
    check(vec![words(75), comma(), words(80)], &[75, 75, 6]);
    // The chunk is full, but nothing follows.
    check(vec![words(60), comma(), words(14)], &[75]);
    // A comma counts for its own chunk only.
    check(vec![words(60), comma(), words(90)], &[61, 75, 15]);
    check(vec![words(60), comma(), vec![Item::Break], words(76)], &[61, 75, 1]);
}

#[test]
fn the_vectors_of_an_embedding_stay_together() {
    let embedding = |vectors: u32| {
        vec![Item::Token(Token { ids: (10..10 + vectors).collect(), weight: 1.0, span: 0..1 })]
    };
    check(vec![words(70), embedding(5)], &[75]);
    check(vec![words(70), embedding(6)], &[70, 6]);
    check(vec![embedding(75), words(1)], &[75, 1]);
    check(vec![words(2), embedding(160), words(3)], &[2, 75, 75, 10 + 3]);
}

#[test]
fn weights_stay_with_their_words() {
    let heavy = Item::Token(Token { ids: vec![7, 8], weight: 1.5, span: 0..1 });
    let chunks = chunks([words(74), vec![heavy]].concat(), ROOM, None);
    assert_eq!(chunks[1].ids().collect::<Vec<_>>(), [(7, 1.5), (8, 1.5)]);
}
