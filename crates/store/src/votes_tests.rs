//! Votes in a real run folder.

use crate::run_tests::Folder;
use crate::{Run, StoreError};
use maquette_core::test_plans::plan;
use maquette_core::{CellId, Choice, Digest, Vote};

fn started(folder: &Folder) -> (Run, Vec<CellId>) {
    let writer = folder.start(&plan(&[("seed", vec!["1", "2", "3", "4"])]));
    (writer.run().clone(), (0..4).map(|index| writer.plan().id(index).unwrap()).collect())
}

fn text(run: &Run) -> String {
    std::fs::read_to_string(run.dir().join("votes.csv")).unwrap()
}

fn write(run: &Run, text: &str) {
    std::fs::write(run.dir().join("votes.csv"), text).unwrap();
}

fn choices(run: &Run) -> Vec<Choice> {
    run.votes().unwrap().votes.iter().map(|vote| vote.choice).collect()
}

#[test]
fn votes_are_added_and_removed() {
    let folder = Folder::new();
    let (run, cells) = started(&folder);
    assert_eq!((choices(&run), run.remove_last_vote().unwrap()), (vec![], None));
    let vote = |left: usize, right: usize, choice| Vote { left: cells[left], right: cells[right], choice };
    let votes = [vote(0, 1, Choice::Left), vote(2, 3, Choice::Tie), vote(0, 2, Choice::Bad)];
    votes.iter().for_each(|vote| run.add_vote(vote).unwrap());
    assert_eq!(run.votes().unwrap().votes, votes);
    let (a, b) = (cells[0], cells[1]);
    assert!(text(&run).starts_with(&format!("left,right,choice\n{a},{b},left\n")), "{}", text(&run));
    assert_eq!(run.remove_last_vote().unwrap(), Some(votes[2]));
    assert_eq!(run.votes().unwrap().votes, votes[..2]);
    let elsewhere = Vote { right: CellId(Digest::of(b"no")), ..votes[0] };
    assert!(matches!(run.add_vote(&elsewhere), Err(StoreError::NoCell { .. })));
    assert_eq!(run.votes().unwrap().votes.len(), 2);
}

#[test]
fn a_torn_row_is_cut_off_and_a_whole_one_kept() {
    let folder = Folder::new();
    let (run, cells) = started(&folder);
    let (a, b) = (cells[0], cells[1]);
    let added = Vote { left: b, right: a, choice: Choice::Right };
    let check = |last: &str, expected: &[Choice]| {
        write(&run, &format!("left,right,choice\n{a},{b},left\n{last}"));
        assert_eq!(choices(&run), expected, "{last}");
        let torn = !last.is_empty() && expected.len() == 1;
        let problems = run.votes().unwrap().problems;
        assert_eq!(problems.len(), usize::from(torn), "{last}: {problems:?}");
        assert!(problems.iter().all(|problem| problem.contains("is incomplete and does not count")));
        run.add_vote(&added).unwrap();
        assert_eq!(choices(&run), [expected, &[Choice::Right]].concat(), "{last}");
        assert!(text(&run).ends_with(&format!("{b},{a},right\n")), "{last}: {}", text(&run));
        assert_eq!(text(&run).lines().count(), 2 + expected.len());
        assert_eq!(run.votes().unwrap().problems, [""; 0]);
    };
    check(&format!("{a},{b},ti"), &[Choice::Left]);
    check(&cells[0].to_string()[..20], &[Choice::Left]);
    // Editors may leave out the last line break.
    check(&format!("{a},{b},tie"), &[Choice::Left, Choice::Tie]);
    check("", &[Choice::Left]);
    write(&run, "left,ri");
    run.add_vote(&added).unwrap();
    assert_eq!(choices(&run), [Choice::Right]);
}

#[test]
fn damaged_rows_are_reported_and_kept() {
    let folder = Folder::new();
    let (run, cells) = started(&folder);
    let (a, b, gone) = (cells[0], cells[1], CellId(Digest::of(b"gone")));
    write(
        &run,
        &format!("left,right,choice\r\n{a},{b},best\r\n{a},{b},bad\r\n{a},x,left\r\n{a},{gone},left\r\n"),
    );
    let votes = run.votes().unwrap();
    assert_eq!(votes.votes.len(), 2);
    let [choice, cell, unknown] = &votes.problems[..] else { panic!("{:?}", votes.problems) };
    assert!(choice.starts_with("line 2 of `"), "{choice}");
    assert!(choice.contains("has the choice `best`; allowed: left, right, tie, bad"), "{choice}");
    assert!(cell.starts_with("line 4 of `") && cell.contains("has no valid cell name"), "{cell}");
    assert!(unknown.starts_with("votes.csv names 1 cell not in test@1"), "{unknown}");
    run.remove_last_vote().unwrap();
    run.remove_last_vote().unwrap();
    assert_eq!(text(&run), format!("left,right,choice\r\n{a},{b},best\r\n{a},x,left\r\n"));

    write(&run, "a,b\n1,2\n");
    let error = run.votes().unwrap_err();
    let expected =
        "has other columns, perhaps those of a newer version of maquette; allowed: `left,right,choice`";
    assert!(error.to_string().ends_with(expected), "{error}");
    assert!(run.add_vote(&Vote { left: a, right: b, choice: Choice::Tie }).is_err());
    assert_eq!(text(&run), "a,b\n1,2\n");
}

#[test]
fn two_voters_at_once_lose_nothing() {
    let folder = Folder::new();
    let (run, cells) = started(&folder);
    std::thread::scope(|scope| {
        for choice in [Choice::Left, Choice::Right] {
            let (run, cells) = (&run, &cells);
            scope.spawn(move || {
                for _ in 0..30 {
                    run.add_vote(&Vote { left: cells[0], right: cells[1], choice }).unwrap();
                }
            });
        }
    });
    let choices = choices(&run);
    assert_eq!(choices.len(), 60);
    assert_eq!(choices.iter().filter(|choice| **choice == Choice::Left).count(), 30);
}
