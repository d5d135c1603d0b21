//! How `maquette plan` prints prompts that are long, cut or odd.

use crate::support::{Workspace, repository};

/// Plans an experiment with a fixture's model; the part of the answer that is about prompts.
fn planned(text: &str) -> String {
    let workspace = Workspace::new();
    let model = repository().join("tests/fixtures/tiny-a");
    let file = workspace.write("long.toml", format!("model = {:?}\n{text}", model.to_str().unwrap()));
    let stdout = workspace.maquette(&["plan", file.to_str().unwrap(), "--cells", "0"]).code(0).stdout;
    let (_, after) = stdout.split_once("denoising steps").unwrap();
    let (_, after) = after.split_once("\n\n").unwrap();
    after.to_owned()
}

#[test]
fn words_that_are_cut_are_named() {
    let text = format!("prompt = \"{}the garden\"\nguidance_scale = 1\n", "a ".repeat(74));
    insta::assert_snapshot!(planned(&text), @r"
prompt `a a a a a a a a a a a a a a a a a a … a a a a a a a a a a a a the garden`
  78 tokens, of which 75 fit; ignored: `garden`
");
}

#[test]
fn chunks_and_odd_signs_are_named() {
    let text = format!(
        "dialect = \"a1111\"\nprompt = \"{}{{hat}}, {}end AND (night at 9:30\"\nnegative_prompt = \"a BREAK b\"\n\
         [sweep]\nhat = [\"x\", \"[b|c]\"]\nseed = [1, 2, 3]\n",
        "a ".repeat(60),
        "b ".repeat(20),
    );
    insta::assert_snapshot!(planned(&text), @r"
prompt `a a a a a a a a a a a a a a a a a a … b b b b b b end AND (night at 9:30`
  2 chunks:
     62 tokens  `a a a a a a a a a a a a a a a a a a … a a a a a a a a a a a a a a a a x,`
     23 tokens  `b b b b b b b b b b b b b b b b b b b b end`
  a bracket is never closed: it applies to the end of the prompt
negative_prompt `a BREAK b`
  2 chunks:
      1 tokens  `a`
      1 tokens  `b`
prompt `a a a a a a a a a a a a a a a a a a … b b b b b b end AND (night at 9:30`
  2 chunks:
     62 tokens  `a a a a a a a a a a a a a a a a a a … a a a a a a a a a a a a a a a a b,`
     23 tokens  `b b b b b b b b b b b b b b b b b b b b end`
  a bracket is never closed: it applies to the end of the prompt
");
}

#[test]
fn many_prompts_are_counted() {
    let text = format!(
        "prompt = \"{}{{n}} x\"\nguidance_scale = 1\n[sweep]\nn = {{ from = 1, to = 30, step = 1 }}\n",
        "a ".repeat(75)
    );
    let said = planned(&text);
    assert_eq!(said.matches("ignored").count(), 8, "{said}");
    assert!(said.ends_with("… and 22 more prompts with notes\n\n"), "{said}");
}
